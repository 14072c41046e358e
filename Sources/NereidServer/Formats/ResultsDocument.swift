// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The native JSON of several pictures' answers.
struct ResultsDocument: Encodable {
    let id: String
    let model: String
    let results: [PictureResultDocument]
}

/// One of several pictures: what was found in it, or what is wrong with it.
public struct PictureResultDocument: Encodable, Sendable {
    let file: String?
    let image: PredictionDocument.Size?
    let task: String?
    let detections: [PredictionDocument.Item]?
    let classifications: [PredictionDocument.ClassItem]?
    let timing: PredictionDocument.Timing?
    let error: Problem.Body?

    /// A picture that was answered.
    public init(file: String?, answer: PredictionDocument) {
        self.file = file
        image = answer.image
        task = answer.task
        detections = answer.detections
        classifications = answer.classifications
        timing = answer.timing
        error = nil
    }

    /// A picture that could not be answered.
    public init(file: String?, error: any Error) {
        self.file = file
        image = nil
        task = nil
        detections = nil
        classifications = nil
        timing = nil
        self.error = Problem(error).body
    }
}
