import Checkpoint
import FlapCore
import FlapTestKit
import Testing

/// One test per thing that a damaged or hostile header can say.
struct SafetensorsHeaderTests {
  @Test("what the Python package writes is read")
  func valid() throws {
    let header = try parse(
      #"{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"#
        + #""a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   "#, bufferBytes: 11)
    #expect(header.metadata == ["format": "pt"])
    #expect(header.tensors.map(\.name) == ["a", "b"], "in the order of the buffer")
    #expect(header.tensors[0].shape == [1, 2])
    #expect(header.tensors[0].byteRange == 0..<8)
  }

  @Test("no tensors, empty tensors, scalars, escapes")
  func unusual() throws {
    #expect(try parse("{}", bufferBytes: 0).tensors.isEmpty)
    let header = try parse(
      #"{"\u00e9\"\ud83d\ude00":{"dtype":"BF16","shape":[0,5],"data_offsets":[0,0]},"#
        + #""s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}"#, bufferBytes: 8)
    #expect(header.tensors.map(\.name) == ["é\"😀", "s"])
  }

  static let tensor = #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#

  @Test(
    "malformed headers",
    arguments: [
      (#"[]"#, 0, SafetensorsError.notJSON(position: 0)),
      (#" {}"#, 0, .notJSON(position: 0)),
      (#"{"#, 0, .notJSON(position: 1)),
      (#"{} x"#, 0, .notJSON(position: 3)),
      (#"{"a":"#, 0, .notJSON(position: 5)),
      ("{\"a\u{1}\":{}}", 0, .notJSON(position: 4)),
      (#"{"\ud83dx":{}}"#, 0, .notJSON(position: 8)),
      (#"{"a":{\#(tensor)},"a":{\#(tensor)}}"#, 8, .duplicateName("a")),
      (#"{"a":{"dtype":"F32",\#(tensor)}}"#, 8, .duplicateName("a.dtype")),
      (#"{"__metadata__":{"k":"v","k":"w"}}"#, 0, .duplicateName("__metadata__.k")),
      (#"{"__metadata__":{"k":1}}"#, 0, .notJSON(position: 21)),
      (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, 8, .missingField(tensor: "a", field: "dtype")),
      (
        #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, 8,
        .missingField(tensor: "a", field: "shape")
      ),
      (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, .missingField(tensor: "a", field: "data_offsets")),
      (#"{"a":{\#(tensor),"x":"y"}}"#, 8, .unknownField(tensor: "a", field: "x")),
      (
        #"{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}"#, 8,
        .unknownType(tensor: "a", type: "Q4")
      ),
      (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, .invalidNumber(tensor: "a")),
      (
        #"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, 8, .invalidNumber(tensor: "a")
      ),
      (
        #"{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}"#, 8, .invalidNumber(tensor: "a")
      ),
      (
        #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#, 8,
        .invalidNumber(tensor: "a")
      ),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}"#, 8, .invalidNumber(tensor: "a")),
      (
        #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8,
        .shapeTooLarge(tensor: "a")
      ),
      (
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, .reversedOffsets(tensor: "a")
      ),
      (#"{"a":{\#(tensor)}}"#, 7, .offsetsBeyondBuffer(tensor: "a")),
      (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, .wrongSize(tensor: "a")),
      (#"{"a":{\#(tensor)},"b":{\#(tensor)}}"#, 8, .overlapOrHole(tensor: "b")),
      (
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12,
        .overlapOrHole(tensor: "a")
      ),
      (#"{"a":{\#(tensor)}}"#, 9, .trailingBytes(1)),
    ])
  func malformed(json: String, bufferBytes: Int, expected: SafetensorsError) {
    #expect(throws: expected) { try parse(json, bufferBytes: bufferBytes) }
  }

  @Test("lengths that lie")
  func lengths() {
    #expect(throws: SafetensorsError.shorterThanLengthField) { try parse(bytes: [1, 2, 3]) }
    let long = withUnsafeBytes(of: UInt64(100_000_001)) { Array($0) }
    #expect(throws: SafetensorsError.headerTooLong(100_000_001)) { try parse(bytes: long) }
    #expect(throws: SafetensorsError.headerBeyondFile(1)) {
      try parse(bytes: [1, 0, 0, 0, 0, 0, 0, 0])
    }
    #expect(throws: SafetensorsError.headerTooLong(.max)) {
      try parse(bytes: Array(repeating: 255, count: 8))
    }
  }

  @Test("nesting is refused, not followed")
  func nesting() {
    let deep = String(repeating: #"{"a":"#, count: 100_000)
    #expect(throws: SafetensorsError.unknownField(tensor: "a", field: "a")) {
      try parse(deep, bufferBytes: 0)
    }
  }

  @Test("bytes changed, cut and repeated at random are read or refused")
  func fuzz() {
    let valid =
      Array(
        #"{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"#
          .utf8) + Array(#""a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   "#.utf8)
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<FuzzCount.perTest {
      var json = valid
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: 0..<json.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: json[index] = UInt8.random(in: 0...255, using: &generator)
        case 1:
          json[index] = Array("{}[]\":,0123456789\\-.e".utf8).randomElement(using: &generator)!
        default: json.removeSubrange(index..<min(json.count, index + 3))
        }
        if json.isEmpty { json = valid }
      }
      let length = withUnsafeBytes(of: UInt64(json.count)) { Array($0) }
      guard let header = try? parse(bytes: length + json + Array(repeating: 0, count: 11)) else {
        continue
      }
      #expect(header.tensors.allSatisfy { $0.byteRange.upperBound <= 11 })
    }
  }

  @discardableResult
  private func parse(_ json: String, bufferBytes: Int) throws -> SafetensorsHeader {
    let length = withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { Array($0) }
    return try parse(bytes: length + json.utf8 + Array(repeating: 0, count: bufferBytes))
  }

  @discardableResult
  private func parse(bytes: [UInt8]) throws -> SafetensorsHeader {
    try bytes.withUnsafeBytes { try SafetensorsHeader(parsing: $0) }
  }
}
