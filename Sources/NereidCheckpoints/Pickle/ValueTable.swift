// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// All values of a checkpoint, in one table in which they refer to each other by number.
///
/// So a value that is used twice is held once, a cycle holds nothing alive, and nothing is freed by recursion, however
/// deep the nesting.
struct ValueTable: Sendable {
    private(set) var nodes: [ValueNode] = [.none, .boolean(false), .boolean(true)]
    /// How deep each value was nested when it was made; a bound for the reader, not a promise.
    private(set) var depths: [UInt16] = [0, 0, 0]

    /// The elements of tuples; a tuple never changes, so all of them share one array.
    var tupleElements: [ValueIndex] = []
    var lists: [[ValueIndex]] = []
    var dictionaries: [DictionaryRecord] = []
    var objects: [ObjectRecord] = []
    var names: [NameRecord] = []
    var storages: [StorageRecord] = []
    var tensors: [TensorRecord] = []
    /// Bytes that do not stand in the file as they are.
    var blobs: [[UInt8]] = []

    /// Every text once.
    private(set) var texts: [String] = []
    private var textIndices: [ExactText: TextIndex] = [:]
    private var nameIndices: [NameRecord.Key: UInt32] = [:]
    private var storageIndices: [StorageRecord: UInt32] = [:]

    subscript(index: ValueIndex) -> ValueNode {
        get { nodes[Int(index.number)] }
        set { nodes[Int(index.number)] = newValue }
    }

    func depth(_ index: ValueIndex) -> Int { Int(depths[Int(index.number)]) }

    mutating func setDepth(_ index: ValueIndex, _ depth: UInt16) { depths[Int(index.number)] = depth }

    mutating func append(_ node: ValueNode, depth: UInt16) -> ValueIndex {
        nodes.append(node)
        depths.append(depth)
        return ValueIndex(number: UInt32(nodes.count - 1))
    }

    mutating func intern(_ text: String) -> TextIndex {
        let key = ExactText(text)
        if let known = textIndices[key] { return known }
        texts.append(text)
        let index = TextIndex(number: UInt32(texts.count - 1))
        textIndices[key] = index
        return index
    }

    mutating func intern(module: TextIndex, name: TextIndex) -> UInt32 {
        let key = NameRecord.Key(module: module, name: name)
        if let known = nameIndices[key] { return known }
        names.append(NameRecord(key: key, module: texts[Int(module.number)], name: texts[Int(name.number)]))
        nameIndices[key] = UInt32(names.count - 1)
        return UInt32(names.count - 1)
    }

    mutating func intern(_ storage: StorageRecord) -> UInt32 {
        if let known = storageIndices[storage] { return known }
        storages.append(storage)
        storageIndices[storage] = UInt32(storages.count - 1)
        return UInt32(storages.count - 1)
    }

    func text(_ index: TextIndex) -> String { texts[Int(index.number)] }

    func textIndex(of text: String) -> TextIndex? { textIndices[ExactText(text)] }

    func name(_ index: UInt32) -> NameRecord { names[Int(index)] }
}

/// The number of a value in its table.
struct ValueIndex: Hashable, Sendable {
    let number: UInt32

    static let none = Self(number: 0)
    static func boolean(_ value: Bool) -> Self { Self(number: value ? 2 : 1) }
}

/// The number of a text in its table: equal texts have equal numbers.
struct TextIndex: Hashable, Sendable {
    let number: UInt32
}

/// A value; collections name their place in the table.
enum ValueNode: Sendable {
    case none
    case boolean(Bool)
    case integer(Int64)
    /// Little-endian two's complement of more than 64 bits.
    case largeInteger(ByteExtent)
    case real(Double)
    case complex(Double, Double)
    case text(TextIndex)
    case bytes(ByteExtent)
    case blob(UInt32)
    case tuple(start: UInt32, count: UInt32)
    case list(UInt32)
    case set(list: UInt32)
    case dictionary(UInt32)
    case name(UInt32)
    case object(UInt32)
    case storage(UInt32)
    case tensor(UInt32)
}

/// A class or function that the pickle names; it is never looked up.
struct NameRecord: Sendable {
    struct Key: Hashable, Sendable {
        let module: TextIndex
        let name: TextIndex
    }

    let key: Key
    let module: String
    let name: String
    let constructor: KnownConstructor?

    init(key: Key, module: String, name: String) {
        self.key = key
        self.module = module
        self.name = name
        constructor = KnownConstructor(module: module, name: name)
    }
}

/// What a pickle asks to be made by a class or function.
struct ObjectRecord: Sendable {
    enum Origin: Sendable {
        /// The class or function is called.
        case call
        /// An instance of the class is made without calling it.
        case instance
    }

    let maker: ValueIndex
    let arguments: ValueIndex
    let keywordArguments: ValueIndex?
    let origin: Origin
    var state: ValueIndex?
    /// The list and the dictionary of what is put into an object that behaves as a collection.
    var elements: UInt32?
    var entries: UInt32?
}

/// Where the numbers of tensors stand.
struct StorageRecord: Hashable, Sendable {
    enum Location: Hashable, Sendable {
        /// Named by a key; found once the pickle has been read.
        case key(TextIndex)
        case file(ByteExtent)
        case blob(UInt32)
    }

    var location: Location
    /// `nil` when the storage is plain bytes.
    let elementType: TensorReference.ElementType?
    let byteCount: Int
    /// Bytes from the start of what the key names.
    var byteOffset = 0
    /// Where the pickle names it, for messages.
    var mention: Mention

    /// A place that does not tell storages apart.
    struct Mention: Hashable, Sendable {
        let position: Int

        static func == (left: Self, right: Self) -> Bool { true }
        func hash(into hasher: inout Hasher) {}
    }
}

/// A view of a storage; offset and strides count elements.
struct TensorRecord: Sendable {
    let storage: UInt32
    let elementType: TensorReference.ElementType
    let offset: Int
    let shape: [Int]
    let strides: [Int]
    let count: Int
}
