package main

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"expunge/pipeline/report"
)

// stopwatch tells how long the phases of a run take.
type stopwatch struct {
	now    func() time.Time
	began  time.Time
	phases []report.Phase
}

// begin ends the phase that runs, and begins another. Phases of one name, such as
// the rounds, are one.
func (s *stopwatch) begin(phase string) {
	s.end()
	i := slices.IndexFunc(s.phases, func(p report.Phase) bool { return p.Phase == phase })
	if i < 0 {
		s.phases = append(s.phases, report.Phase{Phase: phase})
		i = len(s.phases) - 1
	}
	p := s.phases[i]
	s.phases = append(slices.Delete(s.phases, i, i+1), p) // the one that runs is the last
}

func (s *stopwatch) end() {
	now := s.now()
	if n := len(s.phases); n > 0 {
		s.phases[n-1].Seconds += now.Sub(s.began).Seconds()
	}
	s.began = now
}

// every is how often long work says how far it is, where no bar shows it.
const every = 10 * time.Second

// tell says from time to time how far long work is, as counts with their names. It is
// called whenever something was done, by one goroutine.
func tell(now func() time.Time, log *slog.Logger, what string) func(counts ...any) {
	last := now()
	return func(counts ...any) {
		if at := now(); at.Sub(last) >= every {
			last = at
			log.Info(what, counts...)
		}
	}
}

// listing says how far a listing is.
func (a *app) listing() func(objects int64) {
	say := tell(a.now, a.flags.log(), "listing")
	return func(objects int64) { say("objects", objects) }
}

// figures puts into the report what the run has cost this process so far.
func (a *app) figures(r *report.Report) {
	a.watch.end()
	r.Phases, r.PeakMemory = slices.Clone(a.watch.phases), peakMemory()
	var stores []report.Store
	for _, name := range slices.Sorted(maps.Keys(a.calls)) {
		if name != workCalls {
			stores = append(stores, report.Store{Store: name, Calls: report.Calls(a.calls[name].Counts())})
		}
	}
	if c := a.calls[workCalls]; c != nil {
		stores = append(stores, report.Store{Store: "work", Calls: report.Calls(c.Counts())})
	}
	r.Count(stores)
}
