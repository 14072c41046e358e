// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where webhooks may lead, and what their messages are signed with.
public struct WebhookConfiguration: Sendable {
    /// Hosts that may be asked over http too, whatever their addresses are.
    var hosts: [WebhookTarget.Host] = []
    /// What messages are signed with; `nil`: there are no webhooks.
    public var secret: WebhookSecret?

    /// No webhooks.
    public init() {}
}

/// What only this server and its webhooks know. It does not show when it is printed.
public struct WebhookSecret: Sendable, CustomStringConvertible, CustomReflectable {
    let text: String

    /// Makes a secret of a text, whose bytes in UTF-8 are the key.
    public init(_ text: String) {
        self.text = text
    }

    /// Says that there is one.
    public var description: String { "(not shown)" }

    /// Has no parts to look at.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
