import Questions
import Testing

struct QuestionLineTests {
  static let fields = #""task": "t", "id": 7, "context": "Why?", "choices": ["a", "b"], "gold": 1"#

  @Test("a line with a context, and one with several")
  func forms() throws {
    let plain = try question("{\(QuestionLineTests.fields)}")
    #expect(plain.task == "t" && plain.id == "7" && plain.gold == [1])
    #expect(plain.choices == ["a", "b"])
    #expect(plain.requests.map(\.context) == ["Why?", "Why?"])
    #expect(plain.requests.map(\.continuation) == [" a", " b"])
    let several = try question(
      #"{"task":"w","id":"x","contexts":["A","B"],"choices":["is big."],"gold":0,"#
        + #""delimiter":"\n"}"#)
    #expect(several.choices == ["A", "B"])
    #expect(several.requests.map(\.context) == ["A", "B"])
    #expect(several.requests.map(\.continuation) == ["\nis big.", "\nis big."])
  }

  @Test("several right choices; other fields; what Python writes")
  func oddities() throws {
    let line = QuestionLineTests.fields.replacing(#""gold": 1"#, with: #""gold": [0, 1], "x": NaN"#)
    #expect(try question("{\(line)}").gold == [0, 1])
    let half = QuestionLineTests.fields.replacing("Why?", with: #"\ud83d"#)
    #expect(try question("{\(half)}").requests[0].context == "\u{FFFD}")
  }

  static let refusals: [(String, String, QuestionDefect)] = [
    (#""task": "t", "#, "", .missing(field: "task")),
    (#""task": "t""#, #""task": 3"#, .invalid(field: "task", expected: "a text")),
    (#""id": 7, "#, "", .missing(field: "id")),
    (#""id": 7"#, #""id": 7.5"#, .invalid(field: "id", expected: "a text")),
    (#""context": "Why?", "#, "", .contexts),
    (#""context": "Why?""#, #""context": null"#, .contexts),
    (#""context": "Why?""#, #""context": "Why?", "contexts": ["a", "b"]"#, .contexts),
    (#""context": "Why?""#, #""contexts": ["a", "b"]"#, .continuations(count: 2)),
    (#""choices": ["a", "b"], "#, "", .missing(field: "choices")),
    (#"["a", "b"]"#, "[]", .tooFewChoices(count: 0)),
    (#"["a", "b"]"#, #"["a"]"#, .tooFewChoices(count: 1)),
    (#"["a", "b"]"#, #"["a", ""]"#, .empty(choice: 1)),
    (#"["a", "b"]"#, #"["a", 2]"#, .invalid(field: "choices", expected: "a list of texts")),
    (#"["a", "b"]"#, #""a""#, .invalid(field: "choices", expected: "a list of texts")),
    (#", "gold": 1"#, "", .missing(field: "gold")),
    (#""gold": 1"#, #""gold": 2"#, .gold(index: 2, choiceCount: 2)),
    (#""gold": 1"#, #""gold": -1"#, .gold(index: -1, choiceCount: 2)),
    (#""gold": 1"#, #""gold": 0.5"#, .invalid(field: "gold", expected: "the number of a choice")),
    (#""gold": 1"#, #""gold": []"#, .missing(field: "gold")),
    (#""gold": 1"#, #""gold": "b""#, .invalid(field: "gold", expected: "the number of a choice")),
  ]

  @Test("what is no question is refused by name", arguments: refusals)
  func refused(old: String, new: String, defect: QuestionDefect) throws {
    let line = "{\(QuestionLineTests.fields.replacing(old, with: new))}"
    #expect(throws: defect) { try question(line) }
  }

  @Test(
    "what is no object",
    arguments: [("[1]", 0), (#"{"task": }"#, 9), ("", 0), ("{} {}", 3), ("7", 0)])
  func notJSON(line: String, offset: Int) {
    #expect(throws: QuestionDefect.notJSON(offset: offset)) { try question(line) }
  }

  private func question(_ line: String) throws(QuestionDefect) -> Question {
    let result = Array(line.utf8).withUnsafeBytes { bytes in
      Result { () throws(QuestionDefect) in try Question(line: bytes) }
    }
    return try result.get()
  }
}
