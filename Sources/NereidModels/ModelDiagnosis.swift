// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Says why an engine refused a file: what the file is, what it lacks, or what the engine does not know.
///
/// Engines say that parsing failed, or name a line of their source code. The file itself says more.
struct ModelDiagnosis {
    /// The file.
    let path: String
    /// The engine's words.
    let reason: String

    /// The error to show in the place of the engine's; `nil` when the file shows nothing better.
    ///
    /// Reads the file's outline; blocks its thread for milliseconds.
    var error: ModelsError? {
        do {
            return finding(in: try GraphOutline(path: path)).map { .unusableGraph(path: path, reason: $0) }
        } catch GraphOutline.Failure.foreign(let found, let advice) {
            return .notAModel(path: path, found: found, advice: advice)
        } catch GraphOutline.Failure.cutShort(let needed, let count) {
            return .unusableGraph(
                path: path,
                reason: "it is cut short: it has \(count) bytes, and goes on to byte \(needed) at least; fetch it again"
            )
        } catch GraphOutline.Failure.damaged {
            return .unusableGraph(
                path: path,
                reason: "it begins as an ONNX graph does and is damaged further on; fetch it or export it again"
            )
        } catch {
            return nil
        }
    }

    private func finding(in outline: GraphOutline) -> String? {
        weights(of: outline) ?? unknownOperator(of: outline) ?? version(of: outline)
    }
}

extension ModelDiagnosis {
    /// The first file of weights that can't be used.
    private func weights(of outline: GraphOutline) -> String? {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        let files = outline.externalFiles.sorted { $0.key < $1.key }
        let missing = files.map(\.key).filter {
            Self.isInside($0) && !FileManager.default.fileExists(atPath: folder.appendingPathComponent($0).path)
        }
        if let first = missing.first {
            let others = missing.count > 1 ? " (and \(missing.count - 1) more)" : ""
            return "its weights are in a file of their own, and \(Self.shown(first)) is missing\(others); "
                + "put it into ‘\(folder.path)’ beside the graph, under this name, or export the model into one file"
        }
        for (name, length) in files {
            guard Self.isInside(name), Self.isInside(name, of: folder) else {
                return "it names weights outside of its own folder (\(Self.shown(name))), which are not read; "
                    + "put them beside the graph and export it again"
            }
            let file = folder.appendingPathComponent(name).path
            if let found = Self.problem(with: file, needed: length) {
                return "its weights in \(Self.shown(name)) can't be used: \(found)"
            }
        }
        return nil
    }

    /// Relative, and without a way up.
    private static func isInside(_ name: String) -> Bool {
        !name.hasPrefix("/") && !name.hasPrefix("~") && !name.split(separator: "/").contains("..")
    }

    /// Where links lead.
    private static func isInside(_ name: String, of folder: URL) -> Bool {
        let base = folder.resolvingSymlinksInPath().path
        let file = folder.appendingPathComponent(name).resolvingSymlinksInPath().path
        return file.hasPrefix(base.hasSuffix("/") ? base : base + "/")
    }

    private static func problem(with file: String, needed: Int) -> String? {
        var status = stat()
        guard stat(file, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is not a regular file" }
        let size = Int(status.st_size)
        guard size < needed else { return nil }
        // A pointer in the place of the weights is the reason more often than a copy that was cut short.
        if let content = try? FileDescription(path: file), content.found.hasPrefix("a Git LFS pointer") {
            return "it is \(content.found); \(content.advice)"
        }
        return "it has \(size) bytes, and \(needed) are needed; fetch it again"
    }

    /// A name in an untrusted file as it may be in a message.
    private static func shown(_ name: String) -> String {
        String(
            String.UnicodeScalarView(name.unicodeScalars.prefix(200).filter { $0.value >= 0x20 && $0.value != 0x7F })
        )
    }
}

extension ModelDiagnosis {
    /// An operator that the engine names when it refuses the graph.
    private func unknownOperator(of outline: GraphOutline) -> String? {
        let complaints = [
            "not a registered function/op", "No Op registered for", "No opset import for domain",
            "Could not find an implementation", "has input size",
        ]
        guard complaints.contains(where: { reason.contains($0) }) else { return nil }
        let used = outline.operators.subtracting(outline.functions).sorted()
        guard
            let found = used.first(where: {
                reason.hasWord($0.name) && ($0.domain.isEmpty || reason.contains($0.domain))
            })
        else {
            return nil
        }
        let foreign = ForeignOperators.owner(of: found)
        // An operator with inputs that do not fit is one that the engine does know, but for a plugin's namesake.
        if reason.contains("has input size"), foreign == nil { return nil }
        let name = "the operator \(Self.shown(found.name))"
        let domain = found.domain.isEmpty ? "" : " of the domain \(Self.shown(found.domain))"
        if let foreign { return "it uses \(name)\(domain), \(foreign)" }
        if found.domain.isEmpty, let version = outline.operatorSets[""] {
            return "it uses \(name), which is not in version \(version) of ONNX's operators as this engine has them; "
                + "export it with another opset, or without that operator"
        }
        return "it uses \(name)\(domain), which this engine does not have; export it with ONNX's own operators"
    }

    /// A version that the engine is too old for.
    private func version(of outline: GraphOutline) -> String? {
        if reason.contains("IR version") {
            return "its format is version \(outline.formatVersion), which is newer than this engine reads; "
                + "install a newer ONNX Runtime (NEREID_ONNXRUNTIME), or export it with an older onnx package"
        }
        guard reason.contains("opset"), reason.contains("under development") || reason.contains("guarantees"),
            let newest = outline.operatorSets.max(by: { $0.value < $1.value })
        else { return nil }
        let name = newest.key.isEmpty ? "" : " of \(Self.shown(newest.key))"
        return "it is written in opset \(newest.value)\(name), which is newer than this engine reads; "
            + "export it with a lower opset (opset=17), or install a newer ONNX Runtime (NEREID_ONNXRUNTIME)"
    }
}

extension String {
    /// Whether a word is in the text, with no letter, digit or underscore on either side.
    fileprivate func hasWord(_ word: String) -> Bool {
        guard !word.isEmpty else { return false }
        return split { !$0.isLetter && !$0.isNumber && $0 != "_" }.contains { $0 == word }
    }
}
