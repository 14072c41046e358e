// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Attributes by their kind. What is missing or of another kind throws ``ConversionError/inconsistent(path:reason:)``.
extension Module {
    /// Whether an attribute is missing or `None`.
    func isMissing(_ name: String) -> Bool {
        value(name) == nil
    }

    func integer(_ name: String) throws -> Int {
        try required(name, "a whole number") { $0.integer }
    }

    func integer(_ name: String, default standard: Int) throws -> Int {
        value(name) == nil ? standard : try integer(name)
    }

    /// A number of things: from 1 to about a million, so that products of three fit into an integer.
    func positive(_ name: String) throws -> Int {
        let number = try integer(name)
        guard (1...1 << 20).contains(number) else { throw inconsistent("its setting ‘\(name)’ is \(number)") }
        return number
    }

    func number(_ name: String, default standard: Double) throws -> Double {
        guard value(name) != nil else { return standard }
        return try required(name, "a number") { value in value.double.flatMap { $0.isFinite ? $0 : nil } }
    }

    func flag(_ name: String) throws -> Bool {
        try required(name, "true or false") { value in value.boolean ?? value.integer.map { $0 != 0 } }
    }

    func flag(_ name: String, default standard: Bool) throws -> Bool {
        value(name) == nil ? standard : try flag(name)
    }

    func text(_ name: String, default standard: String) throws -> String {
        value(name) == nil ? standard : try required(name, "text") { $0.text }
    }

    func integers(_ name: String) throws -> [Int] {
        try required(name, "a list of whole numbers") { $0.integers }
    }

    /// Two numbers, or one that stands for both.
    func pair(_ name: String) throws -> (Int, Int) {
        try required(name, "one whole number or two") { value in
            if let both = value.integer { return (both, both) }
            guard let numbers = value.integers, numbers.count == 2 else { return nil }
            return (numbers[0], numbers[1])
        }
    }

    func pair(_ name: String, default standard: (Int, Int)) throws -> (Int, Int) {
        value(name) == nil ? standard : try pair(name)
    }

    /// Two numbers, or one that stands for both.
    func realPair(_ name: String) throws -> (Double, Double) {
        try required(name, "one number or two") { value in
            if let both = value.double { return (both, both) }
            guard let numbers = value.doubles, numbers.count == 2 else { return nil }
            return (numbers[0], numbers[1])
        }
    }

    /// A tensor that is read when it is wanted.
    func weights(_ name: String) throws -> Weights {
        let tensor = try required(name, "a tensor") { $0.tensor }
        return Weights(shape: tensor.shape, count: tensor.count) { try tensor.floats() }
    }

    /// A tensor's elements or a list of numbers, at most about a million.
    func numbers(_ name: String) throws -> [Float] {
        let value = try required(name, "a tensor or a list of numbers") { value in
            value.tensor != nil || value.doubles != nil ? value : nil
        }
        guard let tensor = value.tensor else { return (value.doubles ?? []).map(Float.init) }
        guard tensor.count <= 1 << 20 else { throw inconsistent("its ‘\(name)’ has \(tensor.count) elements") }
        return try tensor.floats()
    }

    /// As ``numbers(_:)``; `nil` when it is missing.
    func optionalNumbers(_ name: String) throws -> [Float]? {
        value(name) == nil ? nil : try numbers(name)
    }

    private func required<Result>(
        _ name: String,
        _ kind: String,
        _ read: (CheckpointValue) -> Result?
    ) throws -> Result {
        guard let value = value(name) else {
            throw inconsistent("it has no ‘\(name)’, which a ‘\(className)’ needs")
        }
        guard let result = read(value) else {
            throw inconsistent("its ‘\(name)’ is \(value.description), not \(kind)")
        }
        return result
    }
}
