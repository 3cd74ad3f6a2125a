import Report
import Testing

struct NumberTests {
  @Test(
    "whole numbers",
    arguments: [
      (0, "0"), (999, "999"), (1000, "1\u{202F}000"), (-1_234_567, "−1\u{202F}234\u{202F}567"),
      (Int.min, "−9\u{202F}223\u{202F}372\u{202F}036\u{202F}854\u{202F}775\u{202F}808"),
    ])
  func exact(count: Int, text: String) {
    #expect(NumberText.exact(count) == text)
  }

  @Test("no minus before a zero; a true minus elsewhere")
  func decimals() {
    #expect(NumberText.decimal(-0.04, digits: 1) == "0.0")
    #expect(NumberText.decimal(-0.06, digits: 1) == "−0.1")
    #expect(NumberText.plain(-0.06, digits: 1) == "-0.1")
    #expect(NumberText.percent(0.4104) == "41.0\u{A0}%")
    #expect(NumberText.short(1_238_656) == "1.24\u{A0}M")
    #expect(NumberText.short(786_304) == "0.79\u{A0}M")
    #expect(NumberText.short(6_738_415_616) == "6.74\u{A0}G")
    #expect(NumberText.bytes(1023) == "1023\u{A0}B")
    #expect(NumberText.bytes(3 << 29) == "1.5\u{A0}GiB")
    #expect(NumberText.seconds(59.94) == "59.9\u{A0}s")
    #expect(NumberText.seconds(3725) == "1:02\u{A0}h")
  }

  @Test(
    "coordinates",
    arguments: [(0.0, "0"), (1.5, "1.5"), (-0.25, "-0.25"), (12.006, "12.01"), (1e-9, "0")])
  func coordinates(value: Double, text: String) {
    #expect(NumberText.coordinate(value) == text)
  }
}

struct AxisTests {
  static let scores = (0..<1000).map { Double($0 * $0) / 1e4 - 0.5 }

  @Test("every score is in one bin, those of the tail in the last one")
  func bins() {
    let axis = ScoreAxis([AxisTests.scores], threshold: 1)
    let counts = axis.histogram(AxisTests.scores)
    #expect(counts.count == ScoreAxis.binCount + 1)
    #expect(counts.reduce(0, +) == 1000)
    #expect((20...60).contains(counts.last!), "about 5 %")
    #expect(axis.bin(-0.5) == 0)
    #expect(axis.bin(.greatestFiniteMagnitude) == ScoreAxis.binCount)
  }

  @Test("bins touch, and fill the axis; positions agree with them")
  func extents() {
    let axis = ScoreAxis([AxisTests.scores], threshold: nil)
    for bin in 1..<ScoreAxis.binCount {
      let gap = axis.extent(ofBin: bin).lowerBound - axis.extent(ofBin: bin - 1).upperBound
      #expect(abs(gap) < 1e-12)
    }
    #expect(axis.extent(ofBin: ScoreAxis.binCount).upperBound == 1)
    for score in AxisTests.scores where score < axis.end {
      let extent = axis.extent(ofBin: axis.bin(score))
      let position = axis.position(score)
      #expect(position > extent.lowerBound - 1e-9 && position < extent.upperBound + 1e-9)
    }
  }

  @Test(
    "ticks are round and few, whatever the scores",
    arguments: [[0.0], [-1, -1, -1], [1e9, 1e9], [0, 1e-12], [-0.8, 1.9], [-3e5, 1e6]])
  func ticks(scores: [Double]) {
    let axis = ScoreAxis([scores, []], threshold: nil)
    #expect((2...9).contains(axis.ticks.count), "\(axis.ticks)")
    #expect(axis.ticks.allSatisfy { $0 >= axis.lowest - 1e-6 && $0 <= axis.end + 1e-6 })
  }

  @Test("a threshold beyond the scores is on the axis")
  func threshold() {
    let axis = ScoreAxis([[0, 1, 2]], threshold: 50)
    #expect(axis.bin(50) < ScoreAxis.binCount)
    #expect(ScoreAxis([[0, 1, 2]], threshold: -7).position(-7) == 0)
  }
}
