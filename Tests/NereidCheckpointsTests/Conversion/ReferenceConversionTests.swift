// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidCheckpoints

/// Real checkpoints of both frameworks become graphs, and hostile ones don't. What the graphs compute is compared with the
/// frameworks' own results where there is an engine, in the tests of the rooms above.
@Suite("Conversion of real files", .enabled(if: SharedFolder.isThere, SharedFolder.absence), .serialized)
struct ReferenceConversionTests {
    /// What a reference file says about its checkpoint.
    struct Reference: Decodable {
        struct Head: Decodable {
            let stride: [Double]?
            let hasOne2One: Bool?
            let kptShape: [Int]?
        }

        struct FixedInput: Decodable {
            let rawShapeFull: [Int]?
        }

        let checkpoint: String
        let sha256: String
        let framework: String
        let task: String
        let names: [String: String]
        let stride: [Double]?
        let anchorsPx: [[Double]]?
        let head: Head?
        let fixedInput: FixedInput?
    }

    static let references = [
        "yolov5/hub-yolov3-tiny", "yolov5/release-v3.1-legacy", "yolov5/release-v5.0", "yolov5/yolov5n",
        "yolov5/yolov5n-cls", "yolov5/yolov5n-coco", "yolov5/yolov5n-last", "yolov5/yolov5n-legacy",
        "yolov5/yolov5n-mbari691", "yolov5/yolov5n-seg", "yolov5/yolov5n6", "yolov5/yolov5s",
        "ultralytics/yolo11n", "ultralytics/yolo11n-pose", "ultralytics/yolo26n", "ultralytics/yolo26n-cls",
        "ultralytics/yolo26n-obb", "ultralytics/yolo26n-pose", "ultralytics/yolo26n-seg", "ultralytics/yolov8n",
        "ultralytics/yolov8n-cls", "ultralytics/yolov8n-cls-weather4", "ultralytics/yolov8n-saved-by-8.0.196",
        "ultralytics/yolov8n-seg",
    ]

    private func reference(_ name: String) throws -> (reference: Reference, checkpoint: Checkpoint) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let file = URL(fileURLWithPath: try SharedFolder.path("reference/\(name).json"))
        let reference = try decoder.decode(Reference.self, from: Data(contentsOf: file))
        // Some stand elsewhere in the shared folder: “models/yolov5n.pt (shared folder)”.
        let stated = reference.checkpoint.split(separator: " ")[0]
        let folder = name.split(separator: "/")[0]
        let path = stated.hasPrefix("models/") ? String(stated) : "reference/\(folder)/\(stated)"
        return (reference, try Checkpoint(path: SharedFolder.path(path)))
    }

    @Test("each becomes a graph with the right metadata", arguments: references, GraphEnding.allCases)
    func conversion(name: String, ending: GraphEnding) throws {
        let (reference, checkpoint) = try reference(name)
        let converted = try CheckpointConverter.convert(checkpoint, options: ConversionOptions(ending: ending))
        let description = converted.description
        #expect(description.task.rawValue == reference.task)
        #expect(description.metadataValue("nereid.source") == reference.sha256)
        let names = reference.names.sorted { Int($0.key) ?? 0 < Int($1.key) ?? 0 }.map(\.value)
        #expect(description.labels == names)
        #expect(description.framework == (name.hasPrefix("yolov5") ? .yolov5 : .ultralytics))

        let graph = try ReadGraph(converted)
        #expect(graph.misplacedNames == [])
        #expect(graph.model.graph.input.map(\.name) == ["images"])
        if reference.task == "classify" {
            #expect(graph.shape("probabilities") == ["batch", "\(names.count)"])
            return
        }
        let strides = try #require(reference.stride ?? reference.head?.stride).map { Int($0) }
        #expect(description.strides == strides)
        #expect(description.needsSuppression)
        let full = try #require(reference.fixedInput?.rawShapeFull)
        if ending == .decoded {
            let shape = try #require(graph.shape("output0"))
            #expect(shape.contains("\(name.hasPrefix("yolov5") ? full[2] : full[1])"))
        }
        if let anchors = reference.anchorsPx {
            let stated = try #require(description.metadataValue("nereid.anchors"))
            let read = try JSONDecoder().decode([[[Double]]].self, from: Data(stated.utf8))
            #expect(zip(read.map { $0.flatMap(\.self) }.joined(), anchors.joined()).allSatisfy { abs($0 - $1) < 0.01 })
            #expect(read.joined().count * 2 == anchors.joined().count)
        }
        if let keypoints = reference.head?.kptShape {
            #expect(description.metadataValue("kpt_shape") == "\(keypoints)")
        }
    }

    @Test(
        "two heads where there are two",
        arguments: references.filter { $0.contains("yolo26") && !$0.hasSuffix("-cls") }
    )
    func oneToOne(name: String) throws {
        let (reference, checkpoint) = try reference(name)
        #expect(reference.head?.hasOne2One == true)
        let options = ConversionOptions(ending: .decoded, head: .oneToOne)
        let converted = try CheckpointConverter.convert(checkpoint, options: options)
        #expect(!converted.description.needsSuppression)
        #expect(try ReadGraph(converted).shape("output0")?[1] == "answers")
    }

    @Test("an unstripped checkpoint gives the mean over training, not the last state")
    func meanOverTraining() throws {
        let (_, checkpoint) = try reference("yolov5/yolov5n-last")
        let mean = try #require(checkpoint.root["ema"])
        let last = try #require(checkpoint.root["model"])
        let used = try CheckpointModel(checkpoint).module
        #expect(used.value.identity == mean.identity)
        #expect(used.value.identity != last.identity)
    }

    /// What is said about files that can be read and are no networks.
    static let refused: [(file: String, message: String)] = [
        ("anchors_inf.pt", "an anchor of inf×inf pixels makes no sense"),
        ("cycle_list.pt", "is not a module but a list of 1"),
        ("cycle_module.pt", "within itself"),
        ("exec_reduce_ex_model_value.pt", "is not a module but the result of a call of ‘os.system’"),
        ("graph_f_out_of_range.pt", "it takes its input from layer 99"),
        ("graph_f_very_negative.pt", "it takes its input from layer -500"),
        ("graph_groups_zero.pt", "8 channels can't be in 0 groups"),
        ("graph_nc_huge.pt", "its setting ‘nc’ is 1000000000"),
        ("graph_weight_shape.pt", "its weights have the shape [8, 3, 3, 3]"),
        ("laughs_memo_lists.pt", "is not a module but a list of 2"),
        ("model_key_missing.pt", "its keys are ‘epoch’, ‘weights’"),
        ("root_is_tensor.pt", "it is float32[6]"),
        ("state_dict_only.pt", "weights without the network"),
        ("tensor_expand_bomb.pt", "weights without the network"),
        ("unknown_layer_name.pt", "‘model.18’ in the checkpoint is a ‘models.common.Cxncat’"),
    ]

    @Test("hostile files that are no networks are refused with the reason", arguments: refused.map(\.file))
    func refusal(file: String) throws {
        let checkpoint = try Checkpoint(path: SharedFolder.path("reference/hostile/\(file)"))
        let error = #expect(throws: ConversionError.self) { try CheckpointConverter.convert(checkpoint) }
        let message = try #require(Self.refused.first { $0.file == file }?.message)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    /// Files whose network is whole; what else they ask for is left alone.
    static let converted = [
        "base_valid.pt", "exec_builtin_eval.pt", "exec_getattr_import.pt", "exec_inst_opcode.pt",
        "exec_legacy_main_pickle.pt", "exec_nested_load_from_bytes.pt", "exec_newobj_popen.pt",
        "exec_reduce_os_system.pt", "exec_torch_prefixed_dotted.pt", "memo_huge_index.pt", "names_nasty.pt",
    ]

    @Test("hostile files around a whole network give the graph of the harmless one", arguments: converted)
    func ignored(file: String) throws {
        let checkpoint = try Checkpoint(path: SharedFolder.path("reference/hostile/\(file)"))
        let graph = try ReadGraph(CheckpointConverter.convert(checkpoint))
        let harmless = try Checkpoint(path: SharedFolder.path("reference/hostile/base_valid.pt"))
        let expected = try ReadGraph(CheckpointConverter.convert(harmless))
        #expect(graph.model.graph == expected.model.graph)
        let traces = try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.hasPrefix("PWNED") }
        #expect(traces == [])
    }
}
