# SPDX-License-Identifier: Apache-2.0
# Nereid: a vision model server.

MODEL ?=
SWIFT_BUILD ?= swift build
PRODUCT = .build/release/nereid
# Jobs are tested with real servers of Redis, workers in Python as programs, requests and connections with clients that stall. All of
# them have short deadlines, which minutes of arithmetic beside them would exceed: each group runs by itself.
FOREIGN_TESTS = LegacyQueueTests|LegacyFormatTests|PythonWorkerTests
CONNECTION_TESTS = PlainConnectionTests|HTTP2Tests|HTTP2LifetimeTests|SecureChannelTests|StreamEndTests|JobEventTests
# Minutes of arithmetic, which tests with time limits would wait for. They need the shared folder, and are skipped without.
LONG_TESTS = (Checkpoint|Detectron2)(Reference|Graph)Tests

.PHONY: help serve build test bench lint format setup setup-tests

help:
	@echo "make serve                   build, and serve the bundled model on http://localhost:8080"
	@echo "make serve MODEL=path.onnx   the same with a model of your own, or a folder of them"
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
	@$(MAKE) --no-print-directory build
	$(PRODUCT) serve $(if $(MODEL),"$(MODEL)")

test: setup-tests
	swift build --build-tests
	swift test --skip-build --skip 'EndToEndTests|NereidJobsTests|NereidServerTests|$(LONG_TESTS)'
	swift test --skip-build --filter NereidServerTests --skip '$(CONNECTION_TESTS)'
	swift test --skip-build --filter NereidJobsTests --skip '$(FOREIGN_TESTS)'
	swift test --skip-build --filter '$(FOREIGN_TESTS)'
	swift test --skip-build --no-parallel --filter '$(CONNECTION_TESTS)'
	swift test --skip-build --filter '$(LONG_TESTS)'
	swift test --skip-build --filter EndToEndTests

bench: build
	@scripts/setup --tests
	Benchmarks/run.sh

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Web

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Web
