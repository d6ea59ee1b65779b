# What this project can be asked to do. `make` alone lists it.

GO         ?= go
TOOL       := $(GO) tool -modfile=.ci/tools/go.mod
# Each fuzz target gets this long in `make fuzz`; Go's fuzzer stalls while it
# minimizes, so that is kept short.
FUZZTIME   ?= 20s

.PHONY: help run test lint fuzz golden generate build cross clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## boot 1,000 toasters and heat pumps through the embedded cloud
	$(GO) run ./cmd/dpsfleet run contoso-mixed

test: lint ## install what the tests need and pass all of them
	$(GO) test -timeout 10m ./...
	$(GO) test -race -timeout 15m ./...
	$(MAKE) cross

lint: ## gofmt, go vet, staticcheck, go mod tidy
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff

fuzz: ## run every fuzz target for FUZZTIME
	@for target in $$(grep -rhoE '^func (Fuzz[A-Za-z0-9]+)' --include=*_test.go . | awk '{print $$2}' | sort -u); do \
		room=$$(grep -rlE "^func $$target\(" --include=*_test.go . | head -n 1 | xargs dirname); \
		echo "$$room $$target"; \
		$(GO) test $$room -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit 1; \
	done

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
