import FlapCore
import FlapTestKit
import Launching
import Testing

struct DeliveryTests {
  private static let digest = Digest(hexadecimal: String(repeating: "0a", count: 32))!

  static let answers: [(line: String, answer: ReceiverAnswer?)] = [
    ("flap-ship wait", .waits),
    ("flap-ship send 0", .send(from: 0)),
    ("flap-ship send 123", .send(from: 123)),
    ("flap-ship room 77", .room(kibibytes: 77)),
    ("flap-ship room ", .room(kibibytes: nil)),
    ("flap-ship file - 0 -", .file(byteCount: nil, partialByteCount: 0, digest: nil)),
    ("flap-ship file 7 3 -", .file(byteCount: 7, partialByteCount: 3, digest: nil)),
    (
      "flap-ship file 7 0 \(digest)",
      .file(byteCount: 7, partialByteCount: 0, digest: digest)
    ),
    ("flap-ship done /a b", .done(path: "/a b", wasThere: false)),
    ("flap-ship there /a", .done(path: "/a", wasThere: true)),
    ("flap-ship fail machine Linux aarch64", .failed(.machine("Linux aarch64"))),
    (
      "flap-ship fail room 1 2 /a b",
      .failed(.room(freeKiB: 1, neededKiB: 2, folder: "/a b"))
    ),
    ("flap-ship fail run \u{1B}[2Jx", .failed(.run(said: "[2Jx"))),
    ("Welcome!", nil), ("x flap-ship wait", nil), ("flap-ship ", nil), ("flap-ship wait 1", nil),
    ("flap-ship send", nil), ("flap-ship send -1", nil), ("flap-ship send 1 2", nil),
    ("flap-ship send 9999999999999999999", nil), ("flap-ship room x", nil),
    ("flap-ship file 1 2", nil), ("flap-ship file x 2 -", nil),
    ("flap-ship file - 2 \(digest)", nil),
    ("flap-ship done a", nil), ("flap-ship done /\u{1B}[2J", nil), ("flap-ship fail", nil),
    ("flap-ship fail odd x", nil), ("flap-ship fail room 1 /a", nil),
    ("flap-ship done /" + String(repeating: "a", count: 9000), nil),
  ]

  @Test("what hosts answer", arguments: answers.indices)
  func answer(index: Int) {
    #expect(ReceiverAnswer(Self.answers[index].line) == Self.answers[index].answer)
  }

  @Test("a copy that goes on where it stopped")
  func resumed() {
    var delivery = Delivery(byteCount: 100)
    delivery.note(line: "Welcome!")
    #expect(delivery.step == .listening)
    delivery.note(line: "flap-ship send 40")
    #expect(delivery.step == .sending(40..<100))
    delivery.note(sentCount: 50)
    #expect(delivery.step == .sending(90..<100))
    delivery.note(sentCount: 10)
    #expect(delivery.step == .sent)
    #expect((delivery.skippedByteCount, delivery.sentByteCount) == (40, 60))
    delivery.note(line: "flap-ship done /there")
    delivery.note(.exited(code: 1))
    guard case .done("/there", wasThere: false, _)? = delivery.outcome else {
      Issue.record("\(delivery.step)")
      return
    }
  }

  static let failures: [(lines: [String], ending: WorkerProcess.Ending, says: String)] = [
    (["flap-ship send 101"], .exited(code: 0), "asked for what there is not"),
    (["flap-ship send 1", "flap-ship send 1"], .exited(code: 0), "asked for what there is not"),
    (["ssh: no route to host"], .exited(code: 255), "(ssh: no route to host)"),
    (["sh: not found"], .exited(code: 127), "exited with code 127) (sh: not found)"),
    (["flap-ship fail noexec /a"], .exited(code: 1), "from /a there (mounted noexec?)"),
    (["flap-ship fail room 1000 3000 /a"], .exited(code: 1), "2 MB free, 4 MB are needed"),
    (["cat: No space left", "flap-ship fail write /a"], .exited(code: 1), "(cat: No space left)"),
    (["flap-ship fail room 999999999999999999 1 /"], .exited(code: 1), "MB free"),
  ]

  @Test("what goes wrong is one line", arguments: failures.indices)
  func failure(index: Int) {
    let (lines, ending, says) = Self.failures[index]
    var delivery = Delivery(byteCount: 100)
    for line in lines { delivery.note(line: line) }
    delivery.note(ending)
    guard case .failed(let failure)? = delivery.outcome else {
      Issue.record("\(delivery.step)")
      return
    }
    #expect("\(failure)".contains(says), "\(failure)")
    #expect(!"\(failure)".contains("\n"))
  }

  @Test("whatever a host says, nothing is sent that is not there")
  func fuzz() {
    var generator = SeededGenerator(seed: 6)
    let lines = Self.answers.map { Array($0.line.utf8) }
    for _ in 0..<FuzzCount.perTest {
      var delivery = Delivery(byteCount: 100)
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let line = lines.randomElement(using: &generator)!
        let bytes = generator.chance(0.5) ? line : line.mutated(using: &generator)
        delivery.note(line: String(decoding: bytes, as: UTF8.self))
        guard case .sending(let range) = delivery.step else { continue }
        #expect(!range.isEmpty && range.lowerBound >= 0 && range.upperBound == 100)
        delivery.note(sentCount: Int.random(in: 1...range.count, using: &generator))
      }
      delivery.note(.exited(code: 0))
      #expect(delivery.outcome != nil)
      if case .failed(let failure)? = delivery.outcome {
        #expect("\(failure)".utf8.count < 2000)
      }
    }
  }
}
