# Every target uses the toolchain that go.mod names, also where another one is
# installed.
export GOTOOLCHAIN = auto
export CGO_ENABLED = 0

CACHE ?= $(HOME)/.cache/connector-ci
TOOLS  = $(CACHE)/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0-dev)
# The root document of those whose releases the build is to believe; without one
# it trusts nobody (see cmd/connector/update_root.go).
UPDATE_ROOT ?=
LDFLAGS = -s -w -X main.version=$(VERSION)$(if $(UPDATE_ROOT), -X main.updateRoot=$(shell base64 $(UPDATE_ROOT) | tr -d '\n'))
TARGETS = linux/amd64 linux/386 linux/arm64 windows/amd64 windows/386 windows/arm64 darwin/amd64 darwin/arm64

# A module of its own: Helm's libraries are no business of the connector's.
CHART_TEST = installer/kubernetes/test

.PHONY: build test lab race vet lint vuln cross fuzz bench drill licenses clean

build: ## bin/connector for this machine
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/connector ./cmd/connector

test: lab ## all tests, against real servers where they can be had
	testdata/lab/test.sh

lab: ## install the servers the tests talk to, if this user may
	@testdata/lab/install.sh

race: ## all tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race ./...

vet: ## vet for every system
	for os in linux windows darwin; do echo "vet $$os"; GOOS=$$os go vet ./... ./testdata/lab || exit 1; done
	go -C $(CHART_TEST) vet ./...

cross: ## build for every target
	for t in $(TARGETS); do echo "build $$t"; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} go build -trimpath -ldflags '$(LDFLAGS)' -o bin/connector-$${t%/*}-$${t#*/} ./cmd/connector || exit 1; done

lint: $(TOOLS)/golangci-lint ## the project's linters
	$(TOOLS)/golangci-lint run ./...
	cd $(CHART_TEST) && $(TOOLS)/golangci-lint run ./...

vuln: $(TOOLS)/govulncheck ## known vulnerabilities, if a database can be had
	testdata/lab/vuln.sh $(TOOLS)/govulncheck $(CACHE)

fuzz: ## every fuzz test for FUZZTIME (default 20s)
	testdata/lab/fuzz.sh

drill: build ## every fault under 64 logins in flight: what became of them, and how soon all was well
	bin/connector sandbox drill --all --in-flight 64

licenses: ## the list of licences that the connector prints, anew
	go run ./cmd/release licenses cmd/connector/licenses.json.gz

bench: ## benchmarks
	go test -run '^$$' -bench . -benchmem ./...

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

$(TOOLS)/govulncheck:
	GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@v1.8.0

clean:
	rm -rf bin dist
