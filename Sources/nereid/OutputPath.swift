// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Places that a command is to write to, looked at before the work rather than after it.
enum OutputPath {
    /// Checks that a file can be written.
    ///
    /// - Throws: ``CommandFailure``, which says why it can't, and what to do.
    static func checkFile(_ path: String) throws(CommandFailure) {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if exists, isFolder.boolValue {
            throw CommandFailure("the file ‘\(path)’ can't be written: it is a folder. Give a file's name in it")
        }
        if exists {
            guard access(path, W_OK) == 0 else { throw failure("file", path, errno) }
            return
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            throw CommandFailure(
                "the file ‘\(path)’ can't be written: there is no folder ‘\(folder)’. Make it first (mkdir -p)"
            )
        }
        guard isFolder.boolValue else {
            throw CommandFailure("the file ‘\(path)’ can't be written: ‘\(folder)’ is a file, not a folder")
        }
        guard access(folder, W_OK | X_OK) == 0 else { throw failure("file", path, errno) }
    }

    /// Makes a folder with those above it, if it is not there, and checks that files can be written in it.
    ///
    /// - Throws: ``CommandFailure``, which says why they can't, and what to do.
    static func makeFolder(_ path: String) throws(CommandFailure) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            if let file = fileInTheWay(of: path) {
                throw CommandFailure("the folder ‘\(path)’ can't be made: ‘\(file)’ is a file. Give another folder")
            }
            let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
            let reason = code.map { String(cString: strerror(CInt(truncatingIfNeeded: $0))) }
            throw CommandFailure(
                "the folder ‘\(path)’ can't be made: \(reason ?? error.localizedDescription). Give one that you may write to"
            )
        }
        guard access(path, W_OK | X_OK) == 0 else { throw failure("folder", path, errno) }
    }

    private static func fileInTheWay(of path: String) -> String? {
        var url = URL(fileURLWithPath: path)
        while url.path != "/" {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) {
                return isFolder.boolValue ? nil : url.path
            }
            url.deleteLastPathComponent()
        }
        return nil
    }

    private static func failure(_ what: String, _ path: String, _ code: CInt) -> CommandFailure {
        CommandFailure(
            "the \(what) ‘\(path)’ can't be written (\(String(cString: strerror(code)))). "
                + "Give another place, or a place that you may write to"
        )
    }
}
