import Coordination
import FlapCore
import FlapTestKit
import Testing

/// How texts of questions are put together.
struct ScoringLayoutTests {
  @Test("every text is there once, whole, with its continuation", arguments: 1...40)
  func whole(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    let questions = questions(&generator)
    let limit = [1, 40, 100, 2048].randomElement(using: &generator)!
    let layout = ScoringLayout(questions, tokensPerLeaf: limit)
    // A text is known by its tokens: what a span is scored with names its text.
    let scores = layout.scores(
      layout.leaves.map { leaf in
        leaf.groups.flatMap { group in
          group.spans.map { span in
            let branch = group.branches.isEmpty ? [] : group.branches[span.text]
            return score(
              ScoredText(input: group.beginning + branch, continuation: span.tokens),
              after: span.position)
          }
        }
      })
    let expected = questions.joined().map {
      score($0, after: $0.input.count - $0.continuation.count)
    }
    #expect(scores == expected)
  }

  @Test("a leaf has room for its texts, and is filled", arguments: 1...40)
  func room(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    let questions = questions(&generator)
    let layout = ScoringLayout(questions, tokensPerLeaf: 300)
    func blocks(_ length: Int) -> Int { (length + 31) / 32 }
    let room = layout.textsPerLeaf * blocks(layout.tokensPerText)
    let taken = layout.leaves.map { leaf in
      leaf.groups.flatMap(\.lengths).reduce(0) { $0 + blocks($1) }
    }
    #expect(taken.allSatisfy { $0 <= room })
    #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 + $1 > room / 2 })
    #expect(layout.tokensPerText % 32 == 0)
    #expect(questions.joined().allSatisfy { $0.input.count <= layout.tokensPerText })
  }

  @Test("what choices begin with is computed once where that is less")
  func sharing() {
    let context = Array(Int32(0)..<40)
    func text(_ end: [Int32]) -> ScoredText {
      ScoredText(input: context + end.dropLast(), continuation: end)
    }
    let long = ScoringLayout([[text([1, 2, 3]), text([4, 5, 6])]], tokensPerLeaf: 2048)
    #expect(long.leaves.count == 1)
    #expect(long.leaves[0].groups.map(\.beginning) == [context])
    #expect(long.leaves[0].groups[0].branches == [[1, 2], [4, 5]])
    // Single tokens behind one context are one text.
    let single = ScoringLayout([[text([1]), text([2]), text([3])]], tokensPerLeaf: 2048)
    #expect(single.leaves[0].groups.map(\.lengths) == [[40]])
    #expect(single.leaves[0].groups[0].spans.map(\.tokens) == [[1], [2], [3]])
    // Other contexts that begin alike are like a context; hardly anything in common is not.
    let few: [Int32] = [7, 7]
    let apart = ScoringLayout(
      [
        [
          ScoredText(input: few + [1, 2, 3], continuation: [3, 4]),
          ScoredText(input: few + [5, 2, 3], continuation: [3, 4]),
        ]
      ], tokensPerLeaf: 2048)
    #expect(apart.leaves[0].groups.map(\.lengths) == [[5], [5]])
  }

  @Test("a question with more choices than a leaf has room for is cut")
  func cut() {
    let context = Array(Int32(0)..<90)
    let texts = (Int32(0)..<9).map {
      ScoredText(input: context + [$0, $0], continuation: [$0, $0, $0])
    }
    let layout = ScoringLayout([texts], tokensPerLeaf: 200)
    #expect(layout.textsPerLeaf == 2)
    #expect(layout.leaves.map { $0.groups.flatMap(\.lengths).count } == [2, 2, 2, 2, 1])
  }

  @Test("a report is what its spans have; anything else is none")
  func report() {
    let scores = [
      SpanScore(logLikelihood: -1.5, isGreedy: true), SpanScore(logLikelihood: 0, isGreedy: false),
    ]
    let bytes = SpanScore.encode(scores)
    #expect(SpanScore.decode(bytes, spanCount: 2) == scores)
    #expect(SpanScore.decode(bytes, spanCount: 1) == nil)
    #expect(SpanScore.decode(bytes + [0], spanCount: 2) == nil)
    #expect(SpanScore.decode(bytes.dropLast() + [2], spanCount: 2) == nil)
    let infinite = SpanScore.encode([SpanScore(logLikelihood: .nan, isGreedy: true)])
    #expect(SpanScore.decode(infinite, spanCount: 1) == nil)
  }

  private func questions(_ generator: inout SeededGenerator) -> [[ScoredText]] {
    (0..<Int.random(in: 1...30, using: &generator)).map { _ in
      let context = (0..<Int.random(in: 1...70, using: &generator)).map { _ in
        Int32.random(in: 0..<3, using: &generator)
      }
      return (0..<Int.random(in: 2...6, using: &generator)).map { _ in
        let end = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
          Int32.random(in: 0..<3, using: &generator)
        }
        // Now and then a choice is nearly all.
        let before = generator.chance(0.1) ? [Int32(1)] : context
        return ScoredText(
          input: before + end.dropLast(), continuation: end)
      }
    }
  }

  /// Different for every text that differs.
  private func score(_ text: ScoredText, after position: Int) -> SpanScore {
    let bytes = (text.input + [-1, Int32(position)] + text.continuation).flatMap { value in
      withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    let hash = VirtualWork.digest(of: bytes).bytes.prefix(6).reduce(0.0) { $0 * 256 + Double($1) }
    return SpanScore(logLikelihood: hash, isGreedy: false)
  }
}
