// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto
import NIOCore
import NereidModels

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What shows a webhook that a message is from this server, unchanged, and how old it is.
struct WebhookSignature {
    /// `t=UNIXSECONDS,v1=HEX`, where HEX is HMAC-SHA256 (RFC 2104) of the seconds, a full stop and the body, in small letters.
    let header: String

    /// Signs a body.
    init(of body: ByteBuffer, at time: Date, with secret: WebhookSecret) {
        let seconds = String(Int(time.timeIntervalSince1970))
        var code = HMAC<SHA256>(key: SymmetricKey(data: Data(secret.text.utf8)))
        code.update(data: Data("\(seconds).".utf8))
        code.update(data: Data(body.readableBytesView))
        header = "t=\(seconds),v1=\(code.finalize().hexadecimal)"
    }
}
