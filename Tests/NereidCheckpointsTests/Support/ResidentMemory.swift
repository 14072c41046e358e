// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// How much memory the process holds.
enum ResidentMemory {
    /// In megabytes; 0 where the system does not tell by `/proc`.
    static var megabytes: Int {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kilobytes / 1024
    }
}
