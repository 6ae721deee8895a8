# Everything but race and integration needs Go and make only; each of those two
# says what else it needs.

GO ?= go

# `./...` passes over folders named testdata, so the packages in there are named.
TESTDATA = ./testdata/lake/... ./testdata/s3server/... ./testdata/demo/...
PACKAGES = ./... $(TESTDATA)
FOLDERS  = cmd connectors pipeline scanners testdata

.DEFAULT_GOAL := build
.PHONY: build test truth recall race lint fuzz benchmarks bench bench-memory scale roundtrip demo integration clean

# The program: bin/expunge. Paths of this machine are kept out of it.
build:
	$(GO) build -trimpath -o bin/expunge ./cmd/expunge

# All tests that need no other installation. Seeds of fuzz targets run as tests.
test:
	$(GO) test -timeout 40m $(PACKAGES)

# The whole job on a generated lake of TRUTH bytes with 500 requests over 20 accounts,
# in a directory and on an S3 server: bundles, manifest and review list are exactly
# what the generator knows. Prints seconds by phase and peak memory.
TRUTH ?= 200MB
truth:
	EXPUNGE_TRUTH=$(TRUTH) $(GO) test ./cmd/expunge -run '^TestTruth$$' -count 1 -v -timeout 60m

# Precision and recall by tier, over a lake of 100 MB in which 1,000 consumers ask.
recall:
	EXPUNGE_TRUTH=100MB EXPUNGE_CONSUMERS=1000 $(GO) test ./cmd/expunge -run '^TestTruth$$/^dir$$' -count 1 -v -timeout 60m

# The tests again under the race detector. Needs a C compiler.
race:
	CGO_ENABLED=1 $(GO) test -race $(PACKAGES)

# Form, vet and staticcheck (pinned in go.mod as a tool); all must be silent.
lint:
	@unformatted=$$(gofmt -l $(FOLDERS)) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)

# Every fuzz target for FUZZTIME, one after the other. What breaks one is kept in
# the testdata/fuzz folder of its package and is a test from then on.
FUZZTIME ?= 30s
fuzz:
	@grep -rE '^func Fuzz[A-Za-z0-9_]+\(' --include='*_test.go' $(FOLDERS) | \
	sed -E 's|^(.*)/[^/]*_test\.go:func (Fuzz[A-Za-z0-9_]+)\(.*|\1 \2|' | sort -u | \
	while read -r folder target; do \
		echo "$$folder $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$folder" || exit 1; \
	done

# An erasure and a rotation killed at every single store operation, run again, and compared with
# undisturbed ones; each request to S3 also failed, lost and cut short, and other writers before
# each conditional one. CRASH=20 tries every twentieth; all takes some two hours.
CRASH ?= all
crash:
	EXPUNGE_CRASH=$(CRASH) $(GO) test -run "TestEraseKilled|TestEraseHarmed|TestEraseRaces|TestMove|TestRotateStopped" -timeout 6h -v ./cmd/expunge

# Benchmarks on fixed corpora; compare two commits by ratio, on one machine.
BENCH ?= .
benchmarks:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES)

# The scan against DuckDB on equal files, 10,000 consumers, 2 threads. Needs a C
# compiler and fetches DuckDB, which lives in a module of its own.
BENCH_SIZE ?= 300MB
bench:
	cd testdata/duckdb && CGO_ENABLED=1 $(GO) run -mod=mod ./bench -size $(BENCH_SIZE)

# The built program on JSONL.gz of this raw size, within 512 MiB of memory. Needs
# a fifth of it as free space for temporary files.
MEMORY_SIZE ?= 10GB
bench-memory: build
	cd testdata/duckdb && CGO_ENABLED=1 $(GO) run -mod=mod ./bench -memory ../../bin/expunge -size $(MEMORY_SIZE) -every 2000

# Runs over a synthetic store of 5 million objects, 10,000 accounts and 10,000 requests
# at a time: what is resident, how many files are written, how often stores are listed.
# Some 10 minutes on 2 idle cores and 2 GB below $$TMPDIR; SCALE=500 is 500 accounts.
SCALE ?= full
scale:
	EXPUNGE_SCALE=$(SCALE) $(GO) test ./cmd/expunge -run '^TestScale$$' -count=1 -v -timeout 3h

# Parquet of every writer before and after an erasure, held against each other by DuckDB.
# Needs a C compiler and fetches DuckDB.
roundtrip:
	cd testdata/duckdb && CGO_ENABLED=1 $(GO) test -mod=mod -count 1 ./roundtrip

# The whole job on a small lake in an S3 server inside the demo's process; what it
# hands over is compared with the truth about the lake. All is in demo/ afterwards.
# KEEP=1 leaves the server running until it is interrupted.
demo: build
	$(GO) run ./testdata/demo -bin bin/expunge -dir demo $(if $(KEEP),-keep)

# Reads what the demo handed over, and a sealed bundle, with other people's readers.
# Needs python3 with duckdb and pyarrow: pip install duckdb pyarrow
integration: demo
	python3 testdata/demo/read.py demo/out
	python3 testdata/demo/sealed.py bin/expunge

clean:
	rm -rf bin demo
