// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension GraphCache {
    /// Why nothing can be kept in the folder, and what to do; `nil` when it can, or when nothing is to be kept.
    var obstacle: String? {
        guard let folder else { return nil }
        var status = stat()
        let advice = "give a folder that this user may write to (setting cache), or ‘off’"
        guard stat(folder, &status) == 0 else {
            return "the folder ‘\(folder)’ can't be made (\(String(cString: strerror(errno)))); \(advice)"
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "‘\(folder)’ is a file, not a folder; \(advice)" }
        guard access(folder, W_OK | X_OK) == 0 else {
            return "the folder ‘\(folder)’ can't be written (\(String(cString: strerror(errno)))); \(advice)"
        }
        return nil
    }
}
