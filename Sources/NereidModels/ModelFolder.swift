// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension ModelLocation {
    /// Whether it is a folder in which there is no model yet; it is watched all the same.
    public var isWithoutModel: Bool {
        guard let path else { return false }
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder else { return false }
        return ModelScan([self]).models.isEmpty
    }
}

/// A folder that was given as a model and holds none, or several.
enum ModelFolder {
    /// Why no single model is meant by a folder, and what to do.
    static func reason(path: String, models: [FoundModel]) -> String {
        if models.count > 1 {
            let names = models.prefix(5).map { URL(fileURLWithPath: $0.path).lastPathComponent }
            let more = models.count > 5 ? ", …" : ""
            return "it holds \(models.count) models (\(names.joined(separator: ", "))\(more)); give the path of one"
        }
        let inside = below(path)
        func first(_ endings: String...) -> String? {
            inside.first { name in endings.contains { name.lowercased().hasSuffix($0) } }
        }
        if inside.isEmpty { return "it is an empty folder; \(kinds)" }
        if first("saved_model.pb") != nil {
            return "it is a SavedModel of TensorFlow; "
                + "export it as ONNX (python -m tf2onnx.convert --saved-model \(path) --output model.onnx)"
        }
        if path.lowercased().hasSuffix(".mlpackage") || first(".mlmodel", ".mlpackage/manifest.json") != nil {
            return "it is a model of Core ML; \(kinds)"
        }
        if let found = first(".onnx", ".pt", ".pth") {
            return "no model is in this folder itself; there is one below it: give ‘\(path)/\(found)’"
        }
        if first(".xml") != nil, first(".bin") != nil { return "it is a model of OpenVINO; \(kinds)" }
        if first(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp") != nil {
            return "it holds pictures and no model; give the model first: nereid predict MODEL \(path)"
        }
        if first(".mp4", ".mov", ".avi", ".mkv", ".webm", ".mts") != nil {
            return "it holds videos and no model; take frames out of them with ffmpeg, and give the model first"
        }
        return "none of the files in it is a model; \(kinds)"
    }

    private static let kinds = "give \(ModelsError.kinds)"

    /// Files in a folder and three levels below it, level by level; a thousand at the most.
    private static func below(_ path: String) -> [String] {
        var names: [String] = []
        var folders = [""]
        for _ in 0..<4 {
            var next: [String] = []
            for folder in folders where names.count < 1000 {
                let inside = (try? FileManager.default.contentsOfDirectory(atPath: path + "/" + folder)) ?? []
                for name in inside.sorted().filter({ !$0.hasPrefix(".") }).prefix(1000) {
                    var isFolder = false
                    _ = FileManager.default.fileExists(atPath: "\(path)/\(folder)\(name)", isDirectory: &isFolder)
                    if isFolder { next.append("\(folder)\(name)/") } else { names.append(folder + name) }
                }
            }
            folders = next
        }
        return names
    }
}
