// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidCheckpoints

/// Real checkpoints against what their authors' tools found in them (`reference/*/pickle_inventory.json`).
@Suite(.enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct RealCheckpointTests {
    @Test(arguments: PickleInventory.all)
    func agreesWithInventory(inventory: PickleInventory) throws {
        let checkpoint = try Checkpoint(path: SharedFolder.path(inventory.path))
        #expect(checkpoint.container.rawValue == inventory.container)
        #expect(checkpoint.byteCount == inventory.bytes)
        #expect(Set(checkpoint.names.map(\.description)) == Set(inventory.globals.keys))

        let entries = try #require(checkpoint.root.entries)
        #expect(Set(entries.compactMap(\.key.text)) == Set(inventory.topLevel.keys))
        for (key, expected) in inventory.topLevel {
            #expect(matches(try #require(checkpoint.root[key]), expected), "\(key): \(expected)")
        }
        if let storages = inventory.storages {
            let keyed = Set(
                checkpoint.table.storages.compactMap { storage -> ByteExtent? in
                    guard storage.elementType != nil, case .file(let extent) = storage.location else { return nil }
                    return extent
                }
            )
            #expect(keyed.count == storages)
        }
        try expectClasses(of: checkpoint, inventory.classes)
    }

    /// Objects by class: how many there are, and the attributes, parameters, buffers and children that they have.
    private func expectClasses(of checkpoint: Checkpoint, _ classes: [String: PickleInventory.Class]) throws {
        var objects: [String: [CheckpointValue]] = [:]
        checkpoint.root.forEachDescendant { value in
            guard let object = value.object, object.state != nil, let name = object.maker?.description else { return }
            objects[name, default: []].append(value)
        }
        for (name, expected) in classes {
            let found = objects[name] ?? []
            // What is made without state, such as a value of an enumeration, has no attributes to compare.
            guard !found.isEmpty || !expected.attributes.isEmpty else { continue }
            #expect(found.count == expected.count, "\(name)")
            #expect(
                names(in: found, "_parameters") { $0.isNone ? " (None)" : "" } == Set(expected.parameters),
                "\(name)"
            )
            #expect(names(in: found, "_buffers") { _ in "" } == Set(expected.buffers), "\(name)")
            let modules = names(in: found, "_modules", index: "<index>") {
                ":" + ($0.object?.maker?.description ?? "")
            }
            #expect(modules == Set(expected.modules), "\(name)")
            for (attribute, words) in expected.attributes {
                let values = found.compactMap { $0.attribute(attribute) }
                #expect(values.contains { matches($0, words) }, "\(name).\(attribute): \(words)")
            }
        }
    }

    private func names(
        in objects: [CheckpointValue],
        _ attribute: String,
        index: String? = nil,
        _ suffix: (CheckpointValue) -> String
    ) -> Set<String> {
        var names: Set<String> = []
        for object in objects {
            guard let entries = object.attribute(attribute)?.entries else { continue }
            for entry in entries {
                guard let name = entry.key.text, index == nil || !entry.value.isNone else { continue }
                names.insert((index != nil && Int(name) != nil ? index! : name) + suffix(entry.value))
            }
        }
        return names
    }

    @Test(
        arguments: [
            ("reference/yolov5/yolov5n.pt", "reference/yolov5/yolov5n-legacy.pt"),
            (
                "reference/detectron2/retinanet_tiny_model_final.pth",
                "reference/detectron2/retinanet_tiny_model_final_legacy.pth"
            ),
        ]
    )
    func readsTheSameFromBothContainers(zip: String, legacy: String) throws {
        let trees = try [zip, legacy].map { path in
            let root = try Checkpoint(path: SharedFolder.path(path)).root
            var tensors: [String: [UInt8]] = [:]
            try collect(root, "", into: &tensors, depth: 0)
            return tensors
        }
        #expect(trees[0].count > 300)
        #expect(trees[0] == trees[1])
    }

    /// Walks down from a value by dictionaries, attributes and lists; a real checkpoint is no deeper than a hundred.
    private func collect(
        _ value: CheckpointValue,
        _ path: String,
        into tensors: inout [String: [UInt8]],
        depth: Int
    ) throws {
        try #require(depth < 100)
        if let tensor = value.tensor { tensors["\(path):\(tensor)"] = try tensor.bytes() }
        if let elements = value.elements {
            for (position, element) in elements.enumerated() {
                try collect(element, "\(path)[\(position)]", into: &tensors, depth: depth + 1)
            }
        }
        if let entries = value.entries ?? value.object?.state?.entries {
            for entry in entries { try collect(entry.value, "\(path).\(entry.key)", into: &tensors, depth: depth + 1) }
        }
    }

    @Test func readsNumbersOfOfficialCheckpoint() throws {
        let checkpoint = try Checkpoint(path: SharedFolder.path("models/yolov5n.pt"))
        let model = try #require(checkpoint.root["model"])
        #expect(model.object?.maker?.description == "models.yolo.Model")
        #expect(model.attribute("names")?.texts?.prefix(3) == ["person", "bicycle", "car"])
        #expect(try model.attribute("stride")?.tensor?.floats() == [8, 16, 32])
        let layers = try #require(model.attribute("_modules")?["model"]?.attribute("_modules"))
        let head = try #require(layers["24"])
        let anchors = try #require(head.attribute("_buffers")?["anchors"]?.tensor)
        #expect(anchors.shape == [3, 3, 2])
        // In strides, as float16: 10 × 13 pixels at a stride of 8 is the first of YOLOv5's anchors.
        #expect(try anchors.floats().prefix(2) == [1.25, 1.625])
        try checkpoint.root.checkNesting(atMost: 60)
    }

    @Test func readsEveryTensor() throws {
        let path = try SharedFolder.path("models/yolov5n.pt")
        let checkpoint = try Checkpoint(path: path)
        var elements = 0
        try checkpoint.root.forEachDescendant { elements += try $0.tensor?.floats().count ?? 0 }
        #expect(elements > 1_872_157)
    }
}

/// What is said about a checkpoint in an inventory.
struct PickleInventory: Decodable, Sendable, CustomTestStringConvertible {
    struct Class: Decodable, Sendable {
        let count: Int
        let attributes: [String: String]
        let parameters: [String]
        let buffers: [String]
        let modules: [String]
    }

    let file: String
    let bytes: Int
    let container: String
    let storages: Int?
    let globals: [String: Int]
    let topLevel: [String: String]
    let classes: [String: Class]
    var folder: String?

    private enum CodingKeys: String, CodingKey {
        case file, bytes, container, storages, globals, classes, folder
        case topLevel = "top_level"
    }

    var testDescription: String { file }

    var path: String {
        switch file {
        case "yolov5n-coco.pt": "models/yolov5n.pt"
        case "yolov8n-cls-weather4.pt": "models/\(file)"
        default: "reference/\(folder ?? "")/\(file)"
        }
    }

    /// Of every checkpoint that has one; none when the shared folder is not there.
    static let all: [PickleInventory] = ["yolov5", "ultralytics", "detectron2"].flatMap { folder in
        guard let url = SharedFolder.url?.appendingPathComponent("reference/\(folder)/pickle_inventory.json"),
            let data = try? Data(contentsOf: url),
            var inventories = try? JSONDecoder().decode([PickleInventory].self, from: data)
        else { return [PickleInventory]() }
        for position in inventories.indices { inventories[position].folder = folder }
        return inventories
    }
}

/// Whether a value is what the inventory says in Python's words, which it cuts short.
private func matches(_ value: CheckpointValue, _ words: String) -> Bool {
    // Objects that the inventory's tool could not print, and arrays of NumPy.
    if words.contains("<__main__.") { return value.kind == .list || value.kind == .tensor }
    if words.hasPrefix("tuple ['getattr'") { return value.object?.maker?.name == "getattr" }
    if words.hasPrefix("list of ") {
        return value.elements?.first.map { matches($0, String(words.dropFirst(8))) } ?? false
    }
    let said = inWords(value)
    return words.hasPrefix("list") || words.hasPrefix("str") ? said.hasPrefix(words) : said == words
}

private func inWords(_ value: CheckpointValue) -> String {
    switch value.kind {
    case .none: "NoneType None"
    case .boolean: "bool \(python(value))"
    case .integer: "int \(python(value))"
    case .real: "float \(python(value))"
    case .text: "str \(value.text ?? "")"
    case .list: "list \(python(value))"
    case .tuple: "tuple \(python(value))"
    case .dictionary: "dict[\(value.entries?.count ?? 0)]"
    case .tensor: inWords(value.tensor!)
    case .object: value.object?.maker?.description ?? ""
    default: value.kind.rawValue
    }
}

private func inWords(_ tensor: TensorReference) -> String {
    let storages: [TensorReference.ElementType: String] = [
        .float16: "HalfStorage", .float32: "FloatStorage", .float64: "DoubleStorage", .int64: "LongStorage",
    ]
    return "tensor \(storages[tensor.elementType] ?? "") \(tensor.shape) stride \(tensor.strides)"
}

private func python(_ value: CheckpointValue) -> String {
    if let text = value.text { return "'\(text)'" }
    if let elements = value.elements { return "[\(elements.map(python).joined(separator: ", "))]" }
    return value.description
}
