// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import Testing

@Suite(.enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct RealCheckpointTests {
    @Test func opensOfficialCheckpoint() throws {
        let checkpoint = try Checkpoint(path: SharedFolder.path("models/yolov5n.pt"))
        let model = try #require(checkpoint.root["model"])
        #expect(model.object?.maker?.description == "models.yolo.Model")
        #expect(model.attribute("nc")?.integer == 80)
        #expect(model.attribute("names")?[0]?.text == "person")
        let layers = try #require(model.attribute("_modules")?["model"]?.attribute("_modules"))
        let weight = try #require(
            layers["0"]?.attribute("_modules")?["conv"]?.attribute("_parameters")?["weight"]?.tensor
        )
        #expect(weight.shape == [16, 3, 6, 6])
        #expect(try weight.floats().count == 16 * 3 * 36)
    }
}
