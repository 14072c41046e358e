// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The memory that the process holds in RAM.
enum ResidentMemory {
    /// Bytes, or `nil` where the system does not say in a file (`/proc/self/statm`, proc(5): the second number, in pages).
    static var current: Int? {
        #if os(Linux)
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        #else
        return nil
        #endif
    }
}
