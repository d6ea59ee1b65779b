# What this project can be asked to do. `make` alone lists it.

GO         ?= go
TOOL       := $(GO) tool -modfile=.ci/tools/go.mod
# Each fuzz target gets this long in `make fuzz`; Go's fuzzer stalls while it
# minimizes, so that is kept short.
FUZZTIME   ?= 20s

# Microsoft's SDKs for Node, which provisioning/emulator is tested with.
SDKS       := provisioning/emulator/testdata/node

.PHONY: help run test clients prometheus chromium lint fuzz bench soak golden generate build cross clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## boot 1,000 toasters and heat pumps through the embedded cloud
	$(GO) run ./cmd/dpsfleet run contoso-mixed

test: clients lint ## install what the tests need and pass all of them
	$(GO) test -timeout 10m ./...
	$(GO) test -race -timeout 15m ./...
	$(MAKE) cross
	@test -e $(SDKS)/node_modules/.package-lock.json || echo "THE EMULATOR WAS NOT TESTED WITH MICROSOFT'S NODE SDKS, WHICH ARE NOT INSTALLED HERE"

clients: $(SDKS)/node_modules/.package-lock.json prometheus chromium ## install what the tests drive: Microsoft's Node SDKs, Prometheus, Chromium

# Prometheus and its promtool are Debian's. Without them the tests say so, and in CI
# that is a failure.
prometheus:
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || { \
		echo "prometheus is missing: asking apt-get for it"; \
		apt-get update -q && apt-get install -qy --no-install-recommends prometheus; } || \
		{ echo "PROMETHEUS COULD NOT BE INSTALLED"; [ "$$CI" != true ]; }

# Debian's, for the live page; the same holds of it.
chromium:
	@command -v chromium >/dev/null || { \
		echo "chromium is missing: asking apt-get for it"; \
		apt-get update -q && apt-get install -qy --no-install-recommends chromium; } || \
		{ echo "CHROMIUM COULD NOT BE INSTALLED"; [ "$$CI" != true ]; }

# npm writes that file last, so that it is as old as what is installed. Without
# npm the tests say that they were not run with the SDKs; in CI that is a failure.
$(SDKS)/node_modules/.package-lock.json: $(SDKS)/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "node and npm are missing: asking apt-get for them"; \
		apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm; } || true
	cd $(SDKS) && npm ci || { echo "MICROSOFT'S NODE SDKS COULD NOT BE INSTALLED"; [ "$$CI" != true ]; }

lint: ## gofmt, go vet, staticcheck, go mod tidy
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff

fuzz: ## run every fuzz target for FUZZTIME
	@for file in $$(git grep -lE '^func Fuzz' -- '*_test.go'); do \
		for target in $$(grep -oE '^func Fuzz[A-Za-z0-9]+' $$file | cut -d' ' -f2); do \
			echo "$$(dirname $$file) $$target"; \
			$(GO) test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit 1; \
		done; \
	done

BENCH      := scenarios/testdata/bench
IDLE       := provisioning/emulator/testdata/bench-now.txt
MEASURE    := $(GO) test -run '^$$' -timeout 10m

bench: ## measure a boot beside its limit on a quiet machine, into files under version control
	{ sed -n '/^# [A-Z]/p' $(BENCH)/now.txt; echo "# $$(date +%F), $$($(GO) env GOVERSION), $$(uname -sr), $$(nproc) cores"; \
		for turn in 1 2 3 4 5; do \
			$(MEASURE) ./scenarios -bench '^BenchmarkBoot$$/^tls' -benchtime 3x; \
			$(MEASURE) ./scenarios -bench '^BenchmarkBoot$$/^plain' -benchtime 8x; \
			$(MEASURE) ./scenarios -bench '^BenchmarkBoot$$/^memory' -benchtime 4x; done; \
		$(MEASURE) ./scenarios -bench '^BenchmarkBootNode$$' -benchtime 1x -count 3; \
		for held in tls13/1000 tls13/5000 tls13/9000 plain/1000 plain/5000 plain/9000; do \
			$(MEASURE) ./scenarios -bench "^BenchmarkHeld$$/$$held$$" -benchtime 1x; done; \
		for turn in 1 2 3; do \
			$(MEASURE) ./scenarios -bench '^BenchmarkMemory$$/^1000$$' -benchtime 30x; \
			$(MEASURE) ./scenarios -bench '^BenchmarkMemory$$/^10000$$' -benchtime 3x; \
			$(MEASURE) ./scenarios -bench '^BenchmarkMemory$$/^100000$$' -benchtime 1x; done; \
		$(MEASURE) ./fleet -bench '^BenchmarkArrivals20000$$' -benchtime 60000x -count 3; \
	} | grep -v -e ^PASS -e ^ok >$(BENCH)/now.txt.new
	mv $(BENCH)/now.txt.new $(BENCH)/now.txt
	{ sed -n '/^#/p' $(IDLE); \
		$(MEASURE) ./provisioning/emulator -bench '^BenchmarkTLSRegisterCycle$$' -benchtime 10x -count 6; \
		$(MEASURE) ./provisioning/emulator -bench '^BenchmarkIdle$$' -benchtime 1x -count 3; \
	} | grep -v -e ^PASS -e ^ok >$(IDLE).new
	mv $(IDLE).new $(IDLE)
	! grep -A3 -e '^--- FAIL' $(BENCH)/now.txt $(IDLE)
	awk -f $(BENCH)/targets.awk $(BENCH)/now.txt

soak: ## call a webhook and hold a fleet, ten minutes each, and see that memory stays flat; meet 9,000 hostile connections
	DPSFLEET_SOAK=10m $(GO) test ./scenarios -run '^Test(MemoryStaysFlat|HeldDevicesKeepMemoryFlat|HostileTargetCostsEachDeviceItsOwnTime)$$' -v -timeout 30m

golden: ## write the golden files anew; look at the difference before you commit it
	$(GO) test ./scenarios ./metrics/report ./cmd/dpsfleet ./provisioning/emulator -update

generate: ## make the scenario language's schema from its structs
	$(GO) generate ./...

build: ## build bin/dpsfleet
	$(GO) build -trimpath -o bin/dpsfleet ./cmd/dpsfleet

cross: ## see that it builds for Linux, macOS and Windows
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/dpsfleet
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/dpsfleet
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/dpsfleet

clean: ## remove what was built
	rm -rf bin
