// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// The later stages of Detectron2's R-CNNs: classes and boxes of the proposals, then masks of what was found.
///
/// Each stage is a graph with a session of its own. It takes the first stage's features as they are, without a copy, and
/// regions by level: `[n, 5]`, the picture's place in the batch and a box in pixels of the input.
struct RegionStages: Sendable {
    let head: ProposalHead
    private let boxes: any Session
    private let masks: (any Session)?
    private let adjustment: BoxAdjustment
    private let usesSigmoid: Bool
    private let levels: RegionLevels
    /// Where the features are among the first stage's outputs, by level.
    private let features: [Int]
    private let model: String

    /// Loads the later stages of a network; `nil` when it has none.
    ///
    /// - Parameters:
    ///   - head: the head of the first stage.
    ///   - graph: the first stage.
    ///   - outputs: what a run of it gave, with which the later ones are run once.
    ///   - input: the input's size in that run.
    ///   - task: what is asked for; without `segment` masks are left out.
    /// - Throws: ``VisionError``; the engine's error when a graph can't be loaded or run.
    init?(
        after head: any Head,
        of graph: GraphDescription,
        outputs: [Tensor],
        input: PixelSize,
        task: VisionTask,
        sources: StageSources,
        model: String
    ) async throws {
        guard let head = head as? ProposalHead else { return nil }
        self.head = head
        self.model = model
        let evidence = HeadEvidence(
            outputs: zip(graph.outputs, outputs).map { .init(name: $0.name, shape: $1.shape) },
            input: input,
            labelCount: nil,
            metadata: graph.metadata
        )
        do {
            levels = RegionLevels(strides: try evidence.regionStrides())
            adjustment = try evidence.boxAdjustment(HeadEvidence.Key.boxWeights)
            features = try levels.strides.indices.map { level throws(HeadMisfit) in try evidence.map("features\(level)")
            }
        } catch {
            throw VisionError.unknownHead(
                model: model,
                outputs: evidence.outputs.map(\.description).joined(separator: ", "),
                tried: ["\(HeadKind.rcnn.rawValue): \(error.reason)"]
            )
        }
        usesSigmoid = graph.metadata[HeadEvidence.Key.scores] == "sigmoid"
        boxes = try await sources.session("boxes", model: model)
        do {
            masks =
                task == .segment && head.stages.contains("masks")
                ? try await sources.session("masks", model: model) : nil
        } catch {
            await boxes.shutDown()
            throw error
        }
        do {
            try await warmUp(outputs)
        } catch {
            await shutDown()
            throw error
        }
    }

    func shutDown() async {
        await boxes.shutDown()
        await masks?.shutDown()
    }

    /// Whether masks are made.
    var givesMasks: Bool { masks != nil }

    /// Runs each stage once, on a region of each level, and checks what comes out.
    private func warmUp(_ outputs: [Tensor]) async throws {
        let region = Box(x1: 0, y1: 0, x2: 64, y2: 64)
        let sorted = SortedRegions(
            places: levels.strides.indices.map { [$0] },
            regions: levels.strides.indices.map { _ in (0, region) }
        )
        let answers = try await run(boxes, sorted, outputs).outputs
        try checkBoxes(answers, regions: levels.strides.count)
        if let masks {
            try checkMasks(try await run(masks, sorted, outputs).outputs, regions: levels.strides.count)
        }
    }

    /// One run of a stage, the regions' rows in the order of `sorted`.
    private func run(
        _ session: any Session,
        _ sorted: SortedRegions,
        _ outputs: [Tensor]
    ) async throws -> SessionRun {
        let inputs = try session.graph.inputs.map { input in
            for level in levels.strides.indices {
                if input.name == "features\(level)" { return outputs[features[level]] }
                if input.name == "regions\(level)" { return try sorted.tensor(level) }
            }
            throw VisionError.unexpectedOutput(model: model, reason: "a stage takes ‘\(input.name)’")
        }
        return try await session.run(inputs)
    }

    /// What the second stage says of the regions of a batch, in the order in which they were given: logits of the classes
    /// and deltas of the boxes.
    func classify(_ regions: [(picture: Int, box: Box)], _ outputs: [Tensor]) async throws -> RegionAnswers {
        let sorted = levels.sorted(regions)
        let run = try await run(boxes, sorted, outputs)
        try checkBoxes(run.outputs, regions: regions.count)
        return RegionAnswers(run: run, rows: sorted.rows)
    }

    /// The masks' logits of regions of a batch; which row is whose is told with them.
    func masks(of regions: [(picture: Int, box: Box)], _ outputs: [Tensor]) async throws -> RegionAnswers? {
        guard let masks else { return nil }
        let sorted = levels.sorted(regions)
        let run = try await run(masks, sorted, outputs)
        try checkMasks(run.outputs, regions: regions.count)
        return RegionAnswers(run: run, rows: sorted.rows)
    }

    private func checkBoxes(_ outputs: [Tensor], regions: Int) throws {
        let classes = [regions, head.classCount + 1]
        let boxes = [[regions, 4 * head.classCount], [regions, 4]]
        guard outputs.count == 2, outputs[0].shape == classes, boxes.contains(outputs[1].shape) else {
            throw VisionError.unexpectedOutput(
                model: model,
                reason: "the stage of boxes gave \(outputs.map(\.shape)), not \(classes) and \(boxes[0])"
            )
        }
    }

    private func checkMasks(_ outputs: [Tensor], regions: Int) throws {
        let shape = outputs.first?.shape ?? []
        guard shape.count == 4, shape[0] == regions, [1, head.classCount].contains(shape[1]), shape[2] > 0,
            shape[2] == shape[3]
        else {
            throw VisionError.unexpectedOutput(
                model: model,
                reason: "the stage of masks gave \(shape), not [\(regions), \(head.classCount), side, side]"
            )
        }
    }

    /// The objects of one picture, best first, in pixels of the input.
    ///
    /// `fast_rcnn_inference_single_image` in Detectron2's `modeling/roi_heads/fast_rcnn.py`.
    ///
    /// - Parameters:
    ///   - proposals: its proposals.
    ///   - first: where they begin among the regions that were given to the second stage.
    ///   - content: the part of the input that shows the picture.
    func candidates(
        _ answers: RegionAnswers,
        proposals: [Box],
        first: Int,
        content: PixelSize,
        filter: CandidateFilter
    ) throws -> [Candidate] {
        let columns = head.classCount + 1
        let (classes, deltas) = (answers.run.outputs[0], answers.run.outputs[1])
        let isAgnostic = deltas.shape[1] == 4
        return try classes.withElements(of: Float.self) { logits in
            try deltas.withElements(of: Float.self) { deltas in
                var candidates: [Candidate] = []
                for (index, proposal) in proposals.enumerated() {
                    let row = answers.rows[first + index]
                    let scores = probabilities(logits.extracting(row * columns..<(row + 1) * columns))
                    guard scores.allSatisfy({ !$0.isNaN }) else { throw HeadMisfit.scoreIsNaN }
                    for classID in 0..<head.classCount where scores[classID] > filter.confidence {
                        guard filter.wants(classID) else { continue }
                        let start = isAgnostic ? row * 4 : (row * head.classCount + classID) * 4
                        let numbers = SIMD4<Float>((0..<4).map { deltas[start + $0] })
                        let box = adjustment.box(proposal, numbers)
                        guard box.isFinite else { throw HeadMisfit.value("a box whose sides are not finite numbers") }
                        candidates.append(
                            Candidate(box: box.cut(to: content), score: scores[classID], classID: classID)
                        )
                    }
                }
                return candidates
            }
        }
    }

    private func probabilities(_ logits: Span<Float>) -> [Float] {
        guard !usesSigmoid else { return (0..<logits.count).map { sigmoid(logits[$0]) } }
        return softmax((0..<logits.count).map { logits[$0] })
    }
}

/// Answers of a stage, and the row in which the answer to each region stands.
struct RegionAnswers: Sendable {
    let run: SessionRun
    let rows: [Int]
}

/// Where the graphs of later stages are, and how they are loaded.
struct StageSources: Sendable {
    let graphs: [String: GraphSource]
    let engine: any Engine
    let options: SessionOptions

    /// - Throws: ``VisionError/missingStage(model:stage:)``; the engine's error.
    func session(_ stage: String, model: String) async throws -> any Session {
        guard let graph = graphs[stage] else { throw VisionError.missingStage(model: model, stage: stage) }
        return try await engine.makeSession(graph, options: options)
    }
}

extension HeadEvidence {
    /// The strides of the maps that regions are cut from.
    fileprivate func regionStrides() throws(HeadMisfit) -> [Int] {
        guard let strides = integers(Key.regionStrides), (1...8).contains(strides.count),
            strides.allSatisfy({ (1...1024).contains($0) })
        else { throw HeadMisfit(reason: "the metadata's ‘\(Key.regionStrides)’ is not a list of strides") }
        return strides
    }
}
