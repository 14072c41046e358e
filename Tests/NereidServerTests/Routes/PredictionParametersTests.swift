// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Parameters of a prediction")
struct PredictionParametersTests {
    static func parameters(_ query: KeyValuePairs<String, String>, fields: ParameterValues = [:]) throws
        -> PredictionParameters
    {
        try PredictionParameters(query: query.map { ($0.key, $0.value) }, fields: fields)
    }

    @Test("are all read")
    func everyParameter() throws {
        let parameters = try Self.parameters([
            "confidence": "0.5", "iou": "1", "max_detections": "10", "top_k": "3",
            "class_agnostic": "true",
            "classes": "urchin, 3,sea star", "format": "csv", "annotate": "jpeg",
        ])
        #expect((parameters.confidence, parameters.iou, parameters.maxDetections) == (0.5, 1, 10))
        #expect(parameters.classAgnostic == true)
        #expect(parameters.topClasses == 3)
        #expect(parameters.classes == ["urchin, 3,sea star"])
        #expect((parameters.format, parameters.annotate) == (.csv, .jpeg))
    }

    @Test("are the model's own when nothing is said")
    func nothing() throws {
        let parameters = try Self.parameters([:], fields: ["model_type": "reef", "anything": "else"])
        #expect(parameters == (try Self.parameters(["classes": "", "annotate": "false", "format": "json"])))
        #expect((parameters.confidence, parameters.classes == nil) == (nil, true))
    }

    @Test("come from the query and from the form")
    func places() throws {
        let parameters = try Self.parameters(["iou": "0.1"], fields: ["confidence": "0.2"])
        #expect((parameters.iou, parameters.confidence) == (0.1, 0.2))
        #expect(try Self.parameters(["annotate": "true"]).annotate == .png)
    }

    @Test("that are lists are all of their values together, from the query, the form or both")
    func lists() throws {
        let classes = ["sea star, red", "urchin"]
        #expect(try Self.parameters(["classes": classes[0], "classes": classes[1]]).classes == classes)
        #expect(
            try Self.parameters([:], fields: ["classes": classes[1], "classes": classes[0]]).classes
                == classes.reversed()
        )
        let both = try Self.parameters(["classes": classes[0]], fields: ["classes": classes[1]])
        #expect(Set(both.classes ?? []) == Set(classes))
        #expect(try Self.parameters(["classes": "", "classes": "urchin", "classes": " , "]).classes == ["urchin"])
    }

    @Test(
        "that take one value are refused with more",
        arguments: ["confidence", "iou", "max_detections", "top_k", "format"]
    )
    func repeated(name: String) throws {
        let value = name == "format" ? "csv" : "1"
        let requests: [(query: [(name: String, value: String)], fields: ParameterValues)] = [
            ([(name, value), (name, value)], [:]), ([], [name: value, name: value]), ([(name, value)], [name: value]),
        ]
        for (query, fields) in requests {
            let problem = #expect(throws: Problem.self) { try PredictionParameters(query: query, fields: fields) }
            #expect(problem?.code == .badParameter)
            #expect(problem?.detail.hasPrefix("‘\(name)’ is given 2 times, but takes one value") == true)
        }
    }

    static let refusals: [(name: String, value: String, text: String)] = [
        ("confidence", "high", "‘confidence’ is ‘high’, but must be a number from 0 to 1"),
        ("confidence", "1.01", "‘confidence’ is ‘1.01’, but must be a number from 0 to 1"),
        ("confidence", "nan", "‘confidence’ is ‘nan’, but must be a number from 0 to 1"),
        ("confidence", "", "‘confidence’ is ‘’, but must be a number from 0 to 1"),
        ("iou", "-0.1", "‘iou’ is ‘-0.1’, but must be a number from 0 to 1"),
        ("max_detections", "0", "‘max_detections’ is ‘0’, but must be a whole number from 1 to 10000"),
        ("top_k", "0", "‘top_k’ is ‘0’, but must be a whole number from 1 to 10000"),
        ("max_detections", "1e3", "‘max_detections’ is ‘1e3’, but must be a whole number from 1 to 10000"),
        ("class_agnostic", "yes", "‘class_agnostic’ is ‘yes’, but must be one of true, false"),
        ("format", "xml", "‘format’ is ‘xml’, but must be one of json, csv"),
        ("annotate", "gif", "‘annotate’ is ‘gif’, but must be one of png, jpeg, true, false"),
    ]

    @Test("that can't be used are named with what would do, from the query and from the form", arguments: refusals)
    func refused(name: String, value: String, text: String) {
        let problem = Problem(status: .badRequest, code: .badParameter, detail: text)
        #expect(throws: problem) { try PredictionParameters(query: [(name, value)]) }
        #expect(throws: problem) { try PredictionParameters(query: [], fields: [name: value]) }
    }

    @Test("that do not exist are refused in the query")
    func unknown() {
        let error = #expect(throws: Problem.self) { try Self.parameters(["confidense": "0.5"]) }
        #expect(
            error?.detail == "‘confidense’ is not a parameter. Parameters: confidence, iou, max_detections, "
                + "top_k, class_agnostic, classes, format, annotate"
        )
    }
}
