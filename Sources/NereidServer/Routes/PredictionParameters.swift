// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NereidJobs
import NereidVision

/// What a native request for predictions may say, in its query or in form fields.
struct PredictionParameters: Equatable {
    var confidence: Float?
    var iou: Float?
    var maxDetections: Int?
    var topClasses: Int?
    var classAgnostic: Bool?
    /// Texts that name classes, as they were given; ``NereidVision/Labels/classIDs(named:model:)`` says how they are read.
    var classes: [String]?
    var format = Format.json
    /// The picture with its detections drawn on it, instead of words.
    var annotate: Annotate?

    enum Format: String, CaseIterable {
        case json, csv
    }

    enum Annotate: String, CaseIterable {
        case png, jpeg
    }

    /// What is asked of the model.
    static let ofModels = ["confidence", "iou", "max_detections", "top_k", "class_agnostic", "classes"]
    /// In what form it is to be answered.
    static let ofAnswers = ["format", "annotate"]

    /// Reads the parameters.
    ///
    /// - Parameter known: the names that the query may have.
    /// - Throws: ``Problem`` with the code `bad_parameter`, naming the parameter, the value and what would do; also for a
    ///   parameter that takes one value and is given more than once.
    init(
        query: [(name: String, value: String)],
        fields: ParameterValues = .init(),
        known: [String] = ofModels + ofAnswers
    ) throws(Problem) {
        var values = fields
        for (name, value) in query { values.add(value, to: name) }
        // Forms carry fields of their own, so only the query is held to the list.
        for (name, _) in query where !known.contains(name) {
            throw Self.problem("‘\(name)’ is not a parameter. Parameters: \(known.joined(separator: ", "))")
        }
        confidence = try Self.fraction("confidence", values)
        iou = try Self.fraction("iou", values)
        maxDetections = try Self.count("max_detections", values)
        topClasses = try Self.count("top_k", values)
        classAgnostic = try Self.choice("class_agnostic", values, of: ["true", "false"]).map { $0 == "true" }
        // Given more than once, a list is all of its values together.
        let names = values.all("classes").filter { !$0.allSatisfy { $0 == "," || $0.isWhitespace } }
        classes = names.isEmpty ? nil : names
        format = try Self.choice("format", values, of: Format.allCases.map(\.rawValue)).flatMap(Format.init) ?? .json
        annotate =
            try Self.choice("annotate", values, of: Annotate.allCases.map(\.rawValue) + ["true", "false"])
            .flatMap { $0 == "true" ? .png : Annotate(rawValue: $0) }
    }

    /// The options for a model, whose classes the names are looked up in.
    func options(for model: JobModel) throws -> PredictionOptions {
        PredictionOptions(
            confidence: confidence,
            iou: iou,
            maxDetections: maxDetections,
            classAgnostic: classAgnostic,
            classes: try classes.map { names throws(VisionError) in try model.classIDs(named: names) },
            topClasses: topClasses
        )
    }

    private static func fraction(_ name: String, _ values: ParameterValues) throws(Problem) -> Float? {
        guard let text = try values.one(name) else { return nil }
        guard let number = Float(text), (0...1).contains(number) else {
            throw problem("‘\(name)’ is ‘\(text)’, but must be a number from 0 to 1")
        }
        return number
    }

    private static func count(_ name: String, _ values: ParameterValues) throws(Problem) -> Int? {
        guard let text = try values.one(name) else { return nil }
        guard let number = Int(text), (1...10_000).contains(number) else {
            throw problem("‘\(name)’ is ‘\(text)’, but must be a whole number from 1 to 10000")
        }
        return number
    }

    private static func choice(
        _ name: String,
        _ values: ParameterValues,
        of choices: [String]
    ) throws(Problem) -> String? {
        guard let text = try values.one(name) else { return nil }
        guard choices.contains(text) else {
            throw problem("‘\(name)’ is ‘\(text)’, but must be one of \(choices.joined(separator: ", "))")
        }
        return text
    }

    private static func problem(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: .badParameter, detail: detail)
    }
}

extension Request {
    /// The query's names and values, decoded.
    var query: [(name: String, value: String)] {
        uri.queryParameters.map { (String($0.key), String($0.value)) }
    }
}
