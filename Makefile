# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.

MODEL ?=
SWIFT_BUILD ?= swift build
PRODUCT = .build/release/nereid

.PHONY: help serve build test bench lint format setup setup-tests

help:
	@echo "make serve MODEL=path.onnx   build and serve a model on http://localhost:8080"
	@echo "make test                    build and run the tests"
	@echo "make build                   build .build/release/nereid"
	@echo "make bench                   measure this machine (Benchmarks/README.md)"
	@echo "make lint                    check the source's format"
	@echo "make format                  put the source in its format"

setup:
	@scripts/setup

setup-tests:
	@scripts/setup --tests

build: setup
	$(SWIFT_BUILD) -c release --product nereid

serve:
	@test -n "$(MODEL)" || { echo "make serve: say which model: make serve MODEL=path.onnx (a file or a folder)" >&2; exit 2; }
	@$(MAKE) --no-print-directory build
	$(PRODUCT) serve "$(MODEL)"

test: setup-tests
	swift build --build-tests
	swift test --skip-build --skip EndToEndTests
	swift test --skip-build --filter EndToEndTests

bench: build
	@scripts/setup --tests
	Benchmarks/run.sh

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Web

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Web
