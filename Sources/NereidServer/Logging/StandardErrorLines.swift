// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Standard error, written to in whole lines: those of several threads never mix.
enum StandardErrorLines {
    private static let turn = Mutex(())

    /// Writes all of a text. What can't be written, as when nobody reads any more, is lost: a log is no reason to stop.
    static func write(_ text: String) {
        var text = text
        turn.withLock { _ in
            text.withUTF8 { bytes in
                var start = 0
                while start < bytes.count {
                    let count = posixWrite(2, UnsafeBufferPointer(rebasing: bytes[start...]))
                    if count > 0 {
                        start += count
                    } else if errno != EINTR {
                        return
                    }
                }
            }
        }
    }

    private static func posixWrite(_ file: Int32, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        #if canImport(Glibc)
        Glibc.write(file, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
        Musl.write(file, bytes.baseAddress, bytes.count)
        #else
        Darwin.write(file, bytes.baseAddress, bytes.count)
        #endif
    }
}
