// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore
public import NereidVision

/// What a client asks for when it does not want to wait: pictures for one model.
public struct BulkOrder: Sendable {
    /// The model's name; not one of its aliases.
    public var model: String
    /// The pictures as they were uploaded; at least one.
    public var pictures: [Picture]
    /// What is asked of each prediction.
    public var options: PredictionOptions
    /// Where to say that all is done; `nil`: nowhere.
    public var webhook: String?
    /// The same key means the same order: it is accepted once, and answered with the same job each time.
    public var idempotencyKey: String?
    /// The trace that its request belongs to, if any. Not part of what makes two orders the same.
    public var trace: TraceParent?

    /// One picture as it came.
    public struct Picture: Sendable {
        /// Its name on the client's disk, if the client told.
        public var name: String?
        /// Its bytes, unchanged.
        public var bytes: ByteBuffer

        /// Makes a picture.
        public init(name: String? = nil, bytes: ByteBuffer) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// Makes an order.
    public init(
        model: String,
        pictures: [Picture],
        options: PredictionOptions = .init(),
        webhook: String? = nil,
        idempotencyKey: String? = nil,
        trace: TraceParent? = nil
    ) {
        self.model = model
        self.pictures = pictures
        self.options = options
        self.webhook = webhook
        self.idempotencyKey = idempotencyKey
        self.trace = trace
    }

    /// The bytes of all its pictures.
    public var byteCount: Int { pictures.reduce(0) { $0 + $1.bytes.readableBytes } }
}
