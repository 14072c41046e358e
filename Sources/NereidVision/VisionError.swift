// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can go wrong between a graph and its detections.
public enum VisionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The graph does not take one picture-like input.
    case unsupportedInput(model: String, inputs: String, reason: String)
    /// No known head fits the outputs.
    case unknownHead(model: String, outputs: String, tried: [String])
    /// More than one head fits the outputs, and nothing decides between them.
    case ambiguousHead(model: String, outputs: String, candidates: [String])
    /// The outputs are of a known layout that is not served.
    case unsupportedLayout(model: String, layout: String, because: String, advice: String)
    /// The head asked for in the settings does not fit the outputs.
    case headDoesNotFit(model: String, head: String, outputs: String, reason: String)
    /// The model can't do what its settings say it does.
    case taskDoesNotFit(model: String, task: String, does: String)
    /// The labels given do not match the model's number of classes.
    case labelCount(model: String, labels: Int, classes: Int)
    /// A size was asked for that the model can't take.
    case inputSize(model: String, asked: String, takes: String)
    /// What a graph made of a checkpoint says of itself can't be read.
    case unreadableMetadata(model: String, key: String, value: String, expected: String)
    /// A network in stages lacks the graph of one.
    case missingStage(model: String, stage: String)
    /// A run's outputs do not have the shape that the head was recognised by.
    case unexpectedOutput(model: String, reason: String)
    /// The masks of one picture have more pixels together than may be computed.
    case masksTooLarge(model: String, objects: Int, pixels: Int, limit: Int)
    /// A run's outputs hold a value that no answer may be made of.
    case implausibleOutput(model: String, head: String, reason: String)
    /// A class filter names a class that the model does not have.
    case unknownClass(model: String, name: String, classes: [String])

    /// What happened, to which model, and what to do.
    public var description: String {
        switch self {
        case .unsupportedInput(let model, let inputs, let reason):
            """
            model ‘\(model)’ does not take one picture: \(reason). Its inputs: \(inputs). \
            Nereid serves graphs with one input of shape [N,3,H,W] or [N,H,W,3] in float32, float16 or uint8
            """
        case .unknownHead(let model, let outputs, let tried):
            """
            model ‘\(model)’: no known head fits its outputs \(outputs). Tried: \(tried.joined(separator: "; ")). \
            If you know which it is, say so in the model's settings (head: …)
            """
        case .ambiguousHead(let model, let outputs, let candidates):
            """
            model ‘\(model)’: its outputs \(outputs) can be read in more than one way: \
            \(candidates.joined(separator: "; ")). Put the right one of these lines into the model's settings; \
            the names of its classes (labels: …) may decide too
            """
        case .unsupportedLayout(let model, let layout, let because, let advice):
            """
            model ‘\(model)’ has the outputs of \(layout): \(because). This layout is not served. \(advice). \
            If it is another layout, name it in the model's settings (head: …)
            """
        case .headDoesNotFit(let model, let head, let outputs, let reason):
            """
            model ‘\(model)’: its settings ask for the head ‘\(head)’, which does not fit its outputs \(outputs): \
            \(reason). Remove ‘head’ from the settings to have it recognised, or correct it
            """
        case .taskDoesNotFit(let model, let task, let does):
            """
            model ‘\(model)’: its settings say ‘task: \(task)’, but its outputs are those of the task ‘\(does)’. \
            Remove ‘task’ from the settings, or correct it
            """
        case .labelCount(let model, let labels, let classes):
            """
            model ‘\(model)’ has \(classes) classes, but its settings give \(labels) labels. \
            Give one label for each class, in the order of training
            """
        case .inputSize(let model, let asked, let takes):
            "model ‘\(model)’ can't take pictures of \(asked): it takes \(takes). Correct its settings"
        case .unreadableMetadata(let model, let key, let value, let expected):
            """
            model ‘\(model)’: its metadata say ‘\(key)’ = ‘\(value)’, which is not \(expected). The graph was changed after it was \
            exported, or comes from a later version: export it again, or serve the checkpoint itself
            """
        case .missingStage(let model, let stage):
            """
            model ‘\(model)’ is the first of several stages, and the graph of the stage ‘\(stage)’ is not there. \
            Put the file ‘….\(stage).onnx’ that was exported with it beside it, or serve the checkpoint itself
            """
        case .unexpectedOutput(let model, let reason):
            "model ‘\(model)’ gave an output of another shape than when it was loaded: \(reason)"
        case .masksTooLarge(let model, let objects, let pixels, let limit):
            """
            model ‘\(model)’ found \(objects) objects whose masks have \(pixels) pixels together, but at most \(limit) are \
            computed for one picture (setting max_mask_pixels). Ask for fewer (max_detections) or surer ones (confidence), \
            or send a smaller picture
            """
        case .implausibleOutput(let model, let head, let reason):
            """
            model ‘\(model)’ gave \(reason), so this picture gets no answer. Its outputs may be read wrongly (head: \(head)): \
            see ‘nereid inspect’, and name the right head in the model's settings (head: …); or its weights are damaged
            """
        case .unknownClass(let model, let name, let classes):
            "model ‘\(model)’ has no class ‘\(name)’. Its classes: \(Self.listed(classes))"
        }
    }

    private static func listed(_ names: [String]) -> String {
        let shown = names.prefix(40).joined(separator: ", ")
        return names.count > 40 ? "\(shown), … (\(names.count) in all)" : shown
    }
}
