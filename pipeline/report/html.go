package report

import (
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"expunge/pipeline"
)

// html writes the report for people. It opens from disk and fetches nothing.
func (r *Report) html(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"n":    humanize.Comma,
		"of":   func(m map[pipeline.Outcome]int64, o string) int64 { return m[pipeline.Outcome(o)] },
		"size": ibytes,
		"part": func(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) },
		"keys": sortedKeys[int64],
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"secs": func(s float64) string { return fmt.Sprintf("%.1f s", s) },
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}

const pageTemplate = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Run {{.Run}}: {{.State}}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.state { padding: .1rem .5rem; border-radius: .3rem; color: #fff }
.COMPLETE { background: #27683a } .INCOMPLETE { background: #a33a1f }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
code { overflow-wrap: anywhere }
.note { color: #555 }
</style>
</head>
<body>
<h1>Run {{.Run}} <span class="state {{.State}}">{{.State}}</span></h1>
<p>{{time .Started}} to {{time .Finished}} ({{secs .Seconds}})</p>
{{- if .Why}}
<p>What keeps it from being complete:</p>
<ul>{{range .Why}}
<li>{{.}}</li>{{end}}
</ul>
{{- end}}

<h2>Requests</h2>
{{- if .Requests}}
<div class="scroll"><table>
<tr><th>request</th><th>state</th><th class="n">records</th><th class="n">to review</th><th>due</th><th>bundle</th><th>reason</th></tr>
{{- range .Requests}}
<tr><td><code>{{.Request}}</code></td><td>{{.State}}</td><td class="n">{{n .Records}}</td><td class="n">{{n .Review}}</td><td>{{.Due}}</td><td>{{with .Bundle}}<code>{{.}}</code>{{end}}</td><td>{{.Reason}}</td></tr>
{{- end}}
</table></div>
{{- else}}
<p class="note">None.</p>
{{- end}}

<h2>Objects</h2>
<div class="scroll"><table>
<tr><th>dataset</th><th class="n">scanned</th><th class="n">skipped</th><th class="n">pruned</th><th class="n">refused</th><th class="n">records</th><th class="n">malformed</th><th class="n">unattributed</th><th class="n">misattributed</th><th class="n">hits</th><th class="n">read</th></tr>
{{- range .Datasets}}
<tr><td>{{.Name}}</td><td class="n">{{n (of .Objects "scanned")}}</td><td class="n">{{n (of .Objects "skipped")}}</td><td class="n">{{n (of .Objects "pruned")}}</td><td class="n">{{n (of .Objects "refused")}}</td><td class="n">{{n .Rows}}</td><td class="n">{{n .Malformed}}</td><td class="n">{{n .Unattributed}}</td><td class="n">{{n .Misattributed}}</td><td class="n">{{n .Hits}}</td><td class="n">{{size .Bytes}}</td></tr>
{{- end}}
<tr><th>all objects</th><th class="n">{{n (of .Objects "scanned")}}</th><th class="n">{{n (of .Objects "skipped")}}</th><th class="n">{{n (of .Objects "pruned")}}</th><th class="n">{{n (of .Objects "refused")}}</th><th></th><th class="n">{{n .Malformed}}</th><th></th><th></th><th></th><th class="n">{{size .Bytes.Read}}</th></tr>
</table></div>
<p class="note">All objects, also those that no dataset claims. Each of them is a row of objects.parquet beside this page.</p>
{{- if .Pruned}}
<p>Not opened: {{range $i, $k := keys .Pruned}}{{if $i}}, {{end}}{{n (index $.Pruned $k)}} {{$k}}{{end}}.</p>
{{- end}}

{{- if .Refusals}}
<h2>Refused</h2>
<p>{{n .Refused}} objects could not be vouched for. Requests that they might touch stay open until they can be read, or a person waives them.</p>
<div class="scroll"><table>
<tr><th>object</th><th>dataset</th><th>account</th><th>code</th><th>reason</th></tr>
{{- range .Refusals}}
<tr><td><code>{{.Object}}</code></td><td>{{.Dataset}}</td><td>{{if .Account}}{{.Account}}{{else}}any{{end}}</td><td>{{.Code}}</td><td>{{.Reason}}</td></tr>
{{- end}}
</table></div>
{{- end}}

{{- if .Waived}}
<h2>Waived</h2>
<p>{{n .Waivers}} refused objects that a person has decided need not be examined. They keep no request open.</p>
<div class="scroll"><table>
<tr><th>object</th><th>dataset</th><th>account</th><th>code</th><th>waived by</th><th>until</th><th>reason</th></tr>
{{- range .Waived}}
<tr><td><code>{{.Object}}</code></td><td>{{.Dataset}}</td><td>{{if .Account}}{{.Account}}{{else}}any{{end}}</td><td>{{.Code}}</td><td>{{.Waiver.By}}</td><td>{{.Waiver.Until}}</td><td>{{.Waiver.Reason}}</td></tr>
{{- end}}
</table></div>
{{- end}}

{{- if .Undeclared}}
<h2>Undeclared</h2>
<p>No dataset claims these objects. Declare them, or ignore them with a reason.</p>
<div class="scroll"><table>
<tr><th>below</th><th class="n">objects</th></tr>
{{- range keys .Undeclared}}
<tr><td><code>{{.}}</code></td><td class="n">{{n (index $.Undeclared .)}}</td></tr>
{{- end}}
</table></div>
{{- end}}

{{- if .Strayed}}
<h2>Records of nobody</h2>
<p>Identifiers of these requests stand in records whose account cannot be told, or is told in two ways. Nothing of them was delivered or will be erased.</p>
<div class="scroll"><table>
<tr><th>request</th><th class="n">objects</th></tr>
{{- range keys .Strayed}}
<tr><td><code>{{.}}</code></td><td class="n">{{n (index $.Strayed .)}}</td></tr>
{{- end}}
</table></div>
{{- end}}

{{- if .Radius}}
<h2>What erasure would take</h2>
<p>{{n .Tombstones}} tombstones.</p>
<div class="scroll"><table>
<tr><th>account</th><th>dataset</th><th class="n">records</th><th class="n">of</th><th class="n">part</th><th class="n">whole objects</th><th></th></tr>
{{- range .Radius}}
<tr><td>{{.Account}}</td><td>{{.Dataset}}</td><td class="n">{{n .Records}}</td><td class="n">{{n .Of}}</td><td class="n">{{part .Part}}</td><td class="n">{{n .Objects}}</td><td>{{if .Limit}}beyond the limit: held back{{end}}</td></tr>
{{- end}}
</table></div>
{{- end}}

{{- if .Limits}}
<h2>Limits reached</h2>
<ul>{{range .Limits}}
<li>{{.}}</li>{{end}}
</ul>
{{- end}}

<h2>Work</h2>
<div class="scroll"><table>
<tr><th>round</th><th class="n">identifiers</th><th class="n">batches</th><th class="n">units</th><th class="n">read</th><th class="n">skipped objects</th><th class="n">time</th></tr>
{{- range .Rounds}}
<tr><td>{{.Round}}</td><td class="n">{{.Needles}}</td><td class="n">{{.Batches}}</td><td class="n">{{n .Units}}</td><td class="n">{{size .Bytes}}</td><td class="n">{{n .Skipped}}</td><td class="n">{{secs .Seconds}}</td></tr>
{{- end}}
</table></div>
<p>{{size .Bytes.Listed}} listed, {{size .Bytes.Read}} read and {{size .Bytes.Filters}} of filters; {{part .Bytes.Part}} of what was read held nothing asked for. {{n .Files}} files written, {{n .Lists}} list calls.</p>
</body>
</html>
`
