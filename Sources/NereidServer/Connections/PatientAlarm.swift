// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// An alarm of an event loop that may be put off often: putting it off is cheap, because the scheduled task looks at the time
/// again when it runs.
final class PatientAlarm {
    private let eventLoop: any EventLoop
    private let action: () -> Void
    private var due: NIODeadline?
    private var scheduled: (task: Scheduled<Void>, at: NIODeadline)?

    /// - Parameter action: called on the event loop when the alarm is due.
    init(on eventLoop: any EventLoop, action: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.action = action
    }

    /// Sets the alarm, in place of an earlier time.
    func set(in time: TimeAmount) {
        let due = eventLoop.now + time
        self.due = due
        if let scheduled, scheduled.at <= due { return }
        scheduled?.task.cancel()
        schedule(at: due)
    }

    /// Takes the alarm back.
    func stop() { due = nil }

    /// Takes the alarm back for good, and lets go of what its action holds.
    func cancel() {
        due = nil
        scheduled?.task.cancel()
        scheduled = nil
    }

    private func schedule(at deadline: NIODeadline) {
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.look() }
        scheduled = (task, deadline)
    }

    private func look() {
        scheduled = nil
        guard let due else { return }
        if eventLoop.now < due { return schedule(at: due) }
        self.due = nil
        action()
    }
}
