// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidInference
import Testing

@Suite struct LoadingTests {
    @Test func namesItselfAndItsDevices() throws {
        let engine = try ONNXRuntimeEngine()
        #expect(engine.name == "ONNX Runtime")
        #expect(engine.version.contains("."))
        #expect(engine.devices.first == .cpu)
    }

    @Test(arguments: [
        ("blocks-v8", "images float32[batch,3,height,width]", "output0 float32[batch,7,cells]"),
        ("blocks-v5", "images float32[batch,3,height,width]", "output0 float32[batch,cells,8]"),
        ("blocks-end2end", "images float32[batch,3,height,width]", "output0 float32[batch,50,6]"),
        ("blocks-yolox", "images float32[1,3,160,160]", "output0 float32[1,525,8]"),
        ("blocks-fixed-v8", "images float16[1,3,160,160]", "output0 float16[1,7,100]"),
        ("blocks-uint8-v8", "images uint8[batch,3,height,width]", "output0 float32[batch,7,cells]"),
        ("slow", "images float32[batch,3,height,width]", "output0 float32[batch,7,cells]"),
        ("identity-unknown", "images float32[batch,3,height,width]", "output0 float32[batch,3,7,7,7]"),
        ("failing", "images float32[batch,3,height,width]", "output0 float32[batch,3,160,160]"),
        ("unsupported-output", "images float32[batch,3,height,width]", "output0 float64[batch,3]"),
    ])
    func describesTheGraph(_ name: String, _ input: String, _ output: String) async throws {
        let graph = try await Fixtures.session(name).graph
        #expect(graph.inputs.map(\.description) == [input])
        #expect(graph.outputs.map(\.description) == [output])
        let names = "{0: 'red', 1: 'green', 2: 'blue'}"
        #expect(graph.metadata == ["names": names, "stride": "16", "task": "detect"])
    }

    @Test func loadsFromMemory() async throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("blocks-v8"))))
        let source = GraphSource(name: "memory", content: .bytes(bytes))
        let session = try await ONNXRuntimeEngine().makeSession(source, options: SessionOptions(device: .cpu))
        #expect(session.graph == (try await Fixtures.session("blocks-v8").graph))
        let run = try await session.run([Fixtures.input(cell: 12, colour: 1)])
        #expect(try Fixtures.blocks(in: run.outputs[0], of: Float.self) == [[12, 1]])
    }

    @Test func tellsHowItRuns() async throws {
        let session = try await Fixtures.session("blocks-v8", instances: 3, threads: 2)
        #expect(session.instances == 3)
        #expect(session.threads == 2)
        #expect(session.device == .cpu)
        #expect(session.engineName == "ONNX Runtime \(try ONNXRuntimeEngine().version)")
    }

    @Test func autoTakesWhatThereIs() async throws {
        let engine = try ONNXRuntimeEngine()
        let session = try await engine.makeSession(Fixtures.source("blocks-v8"))
        #expect(engine.devices.contains(session.device))
    }

    @Test func refusesADeviceThatTheLibraryLacks() async throws {
        let engine = try ONNXRuntimeEngine()
        try #require(!engine.devices.contains(.cuda(0)), "this library has a GPU")
        let error = await #expect(throws: InferenceError.self) {
            try await Fixtures.session("blocks-v8", device: .cuda(1))
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("device ‘cuda:1’ is not available: ONNX Runtime \(engine.version) at "))
        #expect(text.hasSuffix("was built without CUDA; this engine has: cpu"))
    }

    @Test func checksThatADeviceIsThere() async throws {
        let engine = try ONNXRuntimeEngine()
        // A graph that the engine itself refused would show here.
        try await engine.check(.cpu)
        let error = await #expect(throws: InferenceError.self) { try await engine.check(.cuda(99)) }
        #expect(error?.description.hasPrefix("device ‘cuda:99’ is not available: ") == true)
    }

    /// A library that was built for GPUs, on a machine without one.
    private struct WithoutGPU: Engine {
        let engine: ONNXRuntimeEngine
        let failure: InferenceError
        var name: String { engine.name }
        var version: String { engine.version }
        let devices = [Device.cpu, .cuda(0)]

        func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session {
            if options.device == .cuda(0) { throw failure }
            return try await engine.makeSession(graph, options: options)
        }
    }

    @Test(arguments: [
        InferenceError.deviceUnavailable(.cuda(0), available: [.cpu, .cuda(0)], reason: "no driver"),
        .graphRejected(model: "probe", reason: "no driver"), .runFailed(model: "probe", reason: "no driver"),
    ])
    func saysWhatElseThereIsWhenADeviceFails(failure: InferenceError) async throws {
        let engine = WithoutGPU(engine: try ONNXRuntimeEngine(), failure: failure)
        try await engine.check(.cpu)
        await #expect(throws: InferenceError.deviceUnavailable(.cuda(0), available: [.cpu], reason: "no driver")) {
            try await engine.check(.cuda(0))
        }
    }

    @Test func refusesADamagedGraphByTheModelsName() async throws {
        let error = await #expect(throws: InferenceError.self) { try await Fixtures.session("broken") }
        let text = try #require(error).description
        #expect(text.hasPrefix("the graph of model ‘broken’ was refused by the engine: "))
        #expect(text.hasSuffix("; check that it is a whole, valid ONNX file"))
    }

    @Test(arguments: [[], Array("not a graph".utf8)])
    func refusesBytesThatAreNoGraph(_ bytes: [UInt8]) async throws {
        let source = GraphSource(name: "scrap", content: .bytes(bytes))
        let error = await #expect(throws: InferenceError.self) { try await ONNXRuntimeEngine().makeSession(source) }
        #expect(try #require(error).description.hasPrefix("the graph of model ‘scrap’ was refused by the engine: "))
    }

    @Test func saysWhichFileIsMissing() async throws {
        let path = Fixtures.path("no-such-graph")
        let error = InferenceError.graphUnreadable(model: "no-such-graph", reason: "‘\(path)’ does not exist")
        await #expect(throws: error) { try await Fixtures.session("no-such-graph") }
        #expect("\(error)" == "the graph of model ‘no-such-graph’ cannot be read: ‘\(path)’ does not exist")
    }

    @Test func refusesAFolder() async throws {
        let folder = Fixtures.root.path
        let source = GraphSource(name: "folder", content: .file(path: folder))
        await #expect(
            throws: InferenceError.graphUnreadable(model: "folder", reason: "‘\(folder)’ is a folder, not a file")
        ) {
            try await ONNXRuntimeEngine().makeSession(source)
        }
    }

    @Test func refusesOptionsOutOfRange() async throws {
        await #expect(throws: InferenceError.optionOutOfRange(name: "instances", value: 0, allowed: 1...256)) {
            try await Fixtures.session("blocks-v8", instances: 0)
        }
    }

    #if os(Linux)
    @Test func loadingAndUnloadingKeepsMemoryFlat() async {
        // In a process of its own, so that no other test's memory is counted.
        await #expect(processExitsWith: .success) {
            func residentMegabytes() throws -> Int {
                let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
                return try #require(Int(pages)) * 4096 / 1_000_000
            }
            func cycle(_ count: Int) async throws {
                for index in 0..<count {
                    let session = try await Fixtures.session("blocks-v8", instances: 2)
                    _ = try await session.run([Fixtures.input(cell: 0, colour: 0)])
                    // A session that is merely dropped must go as well.
                    if index % 2 == 0 { await session.shutDown() }
                }
            }
            // The first rounds fill the allocator's own stores.
            try await cycle(40)
            let before = try residentMegabytes()
            try await cycle(160)
            // A leaked answer, input or session of this graph would hold more than 0.1 MB each time.
            #expect(try residentMegabytes() - before < 12)
        }
    }
    #endif
}

@Suite(.enabled(if: Shared.isPresent, "the shared models are absent: set NEREID_SHARED to their folder"))
struct SharedModelTests {
    @Test(arguments: [
        ("yolov5n-coco-fp16-640", "images float16[1,3,640,640]", "output0 float16[1,25200,85]"),
        ("yolox-nano-416", "images float32[1,3,416,416]", "output float32[1,3549,85]"),
        (
            "yolo-fastestv2-352", "input.1 float32[1,3,352,352]",
            """
            777 float32[1,12,22,22] 778 float32[1,3,22,22] 779 float32[1,80,22,22] \
            780 float32[1,12,11,11] 781 float32[1,3,11,11] 782 float32[1,80,11,11]
            """
        ),
        ("yolov8n-int8-640", "images float32[1,3,640,640]", "output0 float32[1,84,8400]"),
        (
            "yolov8n-seg-int8-320", "images float32[1,3,320,320]",
            "output0 float32[1,116,2100] output1 float32[1,32,80,80]"
        ),
        ("mobilenetv2-imagenet-int8-224", "input float32[batch_size,3,224,224]", "output float32[batch_size,1000]"),
        ("deeplabv3-voc21-257", "sub_7 float32[1,257,257,3]", "ResizeBilinear_3 float32[1,257,257,21]"),
        ("face-rfb-320x240", "input float32[1,3,240,320]", "scores float32[1,4420,2] boxes float32[1,4420,4]"),
    ])
    func loadsAndRuns(_ name: String, _ inputs: String, _ outputs: String) async throws {
        let session = try await ONNXRuntimeEngine().makeSession(
            Shared.model(name),
            options: SessionOptions(device: .cpu)
        )
        #expect(session.graph.inputs.map(\.description).joined(separator: " ") == inputs)
        #expect(session.graph.outputs.map(\.description).joined(separator: " ") == outputs)
        let shape = session.graph.inputs[0].shape.map { dimension in
            if case .fixed(let length) = dimension { length } else { 1 }
        }
        let run = try await session.warmUp(inputShapes: [shape])
        #expect(run.outputs.count == session.graph.outputs.count)
        await session.shutDown()
    }
}
