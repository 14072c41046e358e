// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidInference
import Testing

@Suite struct RunTests {
    @Test func givesTheBlocks() async throws {
        let session = try await Fixtures.session("blocks-v8")
        let run = try await session.run([Fixtures.input(cell: 37, colour: 2)])
        #expect(run.outputs.count == 1)
        #expect(try Fixtures.blocks(in: run.outputs[0], of: Float.self) == [[37, 2]])
        #expect(run.ran > .zero)
        #expect(run.waited >= .zero)
    }

    @Test func runsFreeDimensions() async throws {
        let session = try await Fixtures.session("blocks-v8")
        for (batch, height, width) in [(1, 16, 16), (2, 64, 96), (3, 160, 32)] {
            let run = try await session.run([Tensor(zeros: .float32, shape: [batch, 3, height, width])])
            #expect(run.outputs[0].shape == [batch, 7, height * width / 256])
        }
    }

    @Test func runsFloat16() async throws {
        let session = try await Fixtures.session("blocks-fixed-v8")
        let picture = Fixtures.picture(cell: 55, colour: 0).map { Float16($0) }
        let run = try await session.run([Tensor(picture, shape: [1, 3, 160, 160])])
        #expect(run.outputs[0].elementType == .float16)
        #expect(try Fixtures.blocks(in: run.outputs[0], of: Float16.self) == [[55, 0]])
    }

    @Test func runsUInt8() async throws {
        let session = try await Fixtures.session("blocks-uint8-v8")
        let picture = Fixtures.picture(cell: 99, colour: 1).map { UInt8($0 * 255) }
        let run = try await session.run([Tensor(picture, shape: [1, 3, 160, 160])])
        #expect(try Fixtures.blocks(in: run.outputs[0], of: Float.self) == [[99, 1]])
    }

    @Test func answersOutliveTheirSession() async throws {
        func run() async throws -> Tensor {
            let session = try await Fixtures.session("blocks-v8")
            let run = try await session.run([Fixtures.input(cell: 5, colour: 1)])
            await session.shutDown()
            return run.outputs[0]
        }
        #expect(try Fixtures.blocks(in: try await run(), of: Float.self) == [[5, 1]])
    }

    @Test func oneAnswerMayBeTheNextInput() async throws {
        let session = try await Fixtures.session("identity-unknown")
        let first = try await session.run([Fixtures.input(cell: 5, colour: 1)])
        #expect(first.outputs[0].shape == [1, 3, 7, 7, 7])
        let half = try await Fixtures.session("blocks-fixed-v8")
        await #expect(throws: InferenceError.self) { try await half.run(first.outputs) }
    }

    @Test func warmsUp() async throws {
        let fixed = try await Fixtures.session("blocks-fixed-v8")
        #expect(try await fixed.warmUp().outputs[0].shape == [1, 7, 100])
        let free = try await Fixtures.session("blocks-v8")
        #expect(try await free.warmUp(inputShapes: [[2, 3, 32, 32]]).outputs[0].shape == [2, 7, 4])
        let error = await #expect(throws: InferenceError.freeDimensions(free.graph.inputs[0])) {
            try await free.warmUp()
        }
        #expect(
            error?.description
                == "input images float32[batch,3,height,width] leaves dimensions free; give the shape to use"
        )
    }

    @Test func printsBothShapesWhenTheyDiffer() async throws {
        let session = try await Fixtures.session("blocks-fixed-v8")
        let error = await #expect(throws: InferenceError.self) {
            try await session.run([Tensor(zeros: .float16, shape: [1, 3, 160, 176])])
        }
        #expect(
            error?.description
                == "model ‘blocks-fixed-v8’ takes images float16[1,3,160,160], given float16[1,3,160,176]"
        )
        await #expect(throws: InferenceError.self) {
            try await session.run([Tensor(zeros: .float16, shape: [160, 160])])
        }
    }

    @Test func printsBothKindsWhenTheyDiffer() async throws {
        let session = try await Fixtures.session("blocks-v8")
        let error = await #expect(throws: InferenceError.self) {
            try await session.run([Tensor(zeros: .uint8, shape: [1, 3, 16, 16])])
        }
        #expect(
            error?.description
                == "model ‘blocks-v8’ takes images float32[batch,3,height,width], given uint8[1,3,16,16]"
        )
    }

    @Test func refusesTooFewOrTooManyTensors() async throws {
        let session = try await Fixtures.session("blocks-v8")
        let tensor = try Tensor(zeros: .float32, shape: [1, 3, 16, 16])
        let error = await #expect(throws: InferenceError.self) { try await session.run([]) }
        #expect(
            error?.description
                == "model ‘blocks-v8’ takes 1 input (images float32[batch,3,height,width]), 0 given"
        )
        await #expect(throws: InferenceError.self) { try await session.run([tensor, tensor]) }
    }

    @Test func refusesOutputsThatItCannotCarry() async throws {
        let session = try await Fixtures.session("unsupported-output")
        let error = await #expect(throws: InferenceError.self) {
            try await session.run([Tensor(zeros: .float32, shape: [1, 3, 16, 16])])
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("model ‘unsupported-output’ gives output0 float64[batch,3], a kind of number"))
        #expect(text.hasSuffix("export it with one of float32, float16, uint8, int8, int32, int64"))
    }

    @Test func saysWhichModelFailed() async throws {
        let session = try await Fixtures.session("failing")
        let error = await #expect(throws: InferenceError.self) {
            try await session.run([Tensor(zeros: .float32, shape: [1, 3, 16, 16])])
        }
        #expect(try #require(error).description.hasPrefix("model ‘failing’ failed: "))
        // One failure does not harm the next run.
        #expect(try await session.run([Fixtures.input(cell: 0, colour: 0)]).outputs[0].shape == [1, 3, 160, 160])
    }
}
