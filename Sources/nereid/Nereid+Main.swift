// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Foundation
import NereidModels

extension Nereid {
    /// Runs the command. What goes wrong is said in words whose unprintable characters are escaped: a name in them may be that of
    /// a file that others have made, and a terminal would act on it.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let (code, text) = (exitCode(for: error), fullMessage(for: error).printable(keeping: ["\n"]))
            if !text.isEmpty { code.isSuccess ? print(text) : standardError(text) }
            Foundation.exit(code.rawValue)
        }
    }
}
