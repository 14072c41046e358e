// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOPosix

extension BulkOrder {
    /// What tells one order from another: the SHA-256 of all that it holds but its key, each part behind its length, so that
    /// no two orders are the same bytes.
    ///
    /// Gigabytes take seconds: it is computed on a thread that may be held up.
    func digest() async throws -> Data {
        try await NIOThreadPool.singleton.runIfActive {
            var hash = SHA256()
            func add(_ bytes: some DataProtocol) {
                withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
                hash.update(data: bytes)
            }
            func add(_ text: String?) {
                add(Data([text == nil ? 0 : 1]))
                add(Data((text ?? "").utf8))
            }
            add(model)
            add(OptionsMessage(options).json)
            add(webhook)
            for picture in pictures {
                add(picture.name)
                add(picture.bytes.readableBytesView)
            }
            return Data(hash.finalize())
        }
    }
}
