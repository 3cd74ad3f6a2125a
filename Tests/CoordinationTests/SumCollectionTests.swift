import Coordination
import FlapCore
import FlapTestKit
import Statistics
import Testing

/// Which sums of a round are held where, and what is to be done next.
struct SumCollectionTests {
  let places = TapPlace.all(in: 3..<5)
  /// The second one has held-out leaves too, the third nothing else.
  let units: [(node: TreeNode, kinds: [SumKind])] = [
    (TreeNode(level: 2, index: 0), [.kept]), (TreeNode(level: 2, index: 1), [.kept, .heldOut]),
    (.leaf(15), [.heldOut]),
  ]

  private func collection() -> SumCollection { SumCollection(places: places, units: units) }

  /// What an honest worker says of a unit.
  private func sums(_ unit: Int) -> [HeldSum] {
    places.flatMap { place in units[unit].kinds.map { sum(place, $0, unit) } }
  }

  private func sum(_ place: TapPlace, _ kind: SumKind, _ unit: Int) -> HeldSum {
    let bytes = [place.step, kind.rawValue, unit].map { UInt8($0) }
    return HeldSum(place, kind, VirtualWork.digest(of: bytes))
  }

  private func holder(_ name: String) -> SumCollection.Holder {
    .worker(worker(name), endpoint: "tcp://\(name)")
  }

  private func worker(_ name: String) -> WorkerID { WorkerID(bytes: Array(name.utf8)) }

  private func take(_ unit: Int, at name: String, in collection: inout SumCollection) {
    let isTaken = collection.take(sums(unit), of: units[unit].node, at: holder(name))
    #expect(isTaken)
  }

  /// Whether a report on a unit is refused, and changes nothing.
  private func refuses(_ sums: [HeldSum], of node: TreeNode, _ collection: SumCollection) -> Bool {
    var copy = collection
    return !copy.take(sums, of: node, at: holder("z"))
      && copy.unitsToSum == collection.unitsToSum
      && (!copy.unitsToSum.isEmpty
        || places.map(copy.sources) == places.map(collection.sources))
  }

  /// All units held, each by a worker of its own: a, b, c.
  private func full() -> SumCollection {
    var collection = collection()
    for (unit, name) in ["a", "b", "c"].enumerated() { take(unit, at: name, in: &collection) }
    return collection
  }

  private let merged = MergeOutcome.merged(tokenCount: 5, heldOutTokenCount: 3)

  @Test("first all units are summed, then all maps are added up, then it is done")
  func order() {
    var collection = collection()
    #expect(collection.unitsToSum == units.map(\.node))
    #expect(collection.placesToMerge.isEmpty)
    for unit in [1, 2, 0] {
      take(unit, at: "a", in: &collection)
      #expect(!collection.unitsToSum.contains(units[unit].node))
      #expect(collection.placesToMerge == (unit == 0 ? places : []))
    }
    for index in [2, 0, 3, 1] {
      #expect(!collection.isDone)
      collection.take(merged, of: places[index])
      #expect(!collection.placesToMerge.contains(places[index]))
      #expect(collection.unitsToSum.isEmpty)
    }
    #expect(collection.isDone && collection.placesToMerge.isEmpty && collection.lossCount == 0)
  }

  @Test("without maps there is nothing to do")
  func empty() {
    let collection = SumCollection(places: [], units: units)
    #expect(collection.isDone && collection.unitsToSum.isEmpty && collection.placesToMerge.isEmpty)
  }

  @Test("a report that lacks a kind or has one twice is refused and changes nothing")
  func badReports() {
    // Before anything was taken, and when all was.
    for collection in [collection(), full()] {
      let node = units[1].node
      let honest = sums(1)
      for index in honest.indices {
        var lacking = honest
        lacking.remove(at: index)
        #expect(refuses(lacking, of: node, collection))
        // Twice with the same digest, twice with another, or one instead of another.
        #expect(refuses(honest + [honest[index]], of: node, collection))
        let other = HeldSum(honest[index].place, honest[index].kind, VirtualWork.digest(of: [9]))
        #expect(refuses(honest + [other], of: node, collection))
        #expect(refuses(lacking + [lacking[0]], of: node, collection))
      }
      // Of another unit's kinds, of an unknown unit, of nothing.
      #expect(refuses(sums(0), of: node, collection))
      #expect(refuses(honest, of: .leaf(1), collection))
      #expect(refuses([], of: node, collection))
    }
  }

  @Test("sums of maps that stand in their files already come along and are not looked at")
  func otherPlaces() {
    let open = Array(places.suffix(1))
    var collection = SumCollection(places: open, units: units)
    for unit in units.indices { take(unit, at: "a", in: &collection) }
    #expect(collection.placesToMerge == open)
    #expect(
      collection.sources(of: open[0]).map(\.digest)
        == units.indices.flatMap { unit in
          units[unit].kinds.map { sum(open[0], $0, unit).digest }
        })
  }

  @Test("a map's sources are its own, in the order of the units, wherever they came first")
  func sources() {
    var collection = collection()
    for (unit, name) in [(2, "c"), (0, "a"), (1, "b")] { take(unit, at: name, in: &collection) }
    for place in places {
      let order: [(Int, SumKind, String)] = [
        (0, .kept, "a"), (1, .kept, "b"), (1, .heldOut, "b"), (2, .heldOut, "c"),
      ]
      let expected = order.map { unit, kind, name in
        SumMerge.Source(
          kind, sum(place, kind, unit).digest, at: .worker(endpoint: "tcp://\(name)"))
      }
      #expect(collection.sources(of: place) == expected)
    }
  }

  @Test("sums in a folder are found by the names under which workers put them down")
  func locations() {
    var collection = collection()
    take(0, at: "a", in: &collection)
    let second = collection.take(sums(1), of: units[1].node, at: .folder("/shared/7"))
    let third = collection.take(sums(2), of: units[2].node, at: .worker(worker("c"), endpoint: ""))
    #expect(second && third)
    let locations = collection.sources(of: TapPlace(layer: 4, .mlpDown)).map(\.location)
    #expect(
      locations == [
        .worker(endpoint: "tcp://a"), .file("/shared/7/4-1-0-2-1"), .file("/shared/7/4-1-1-2-1"),
        .worker(endpoint: ""),
      ])
  }

  @Test("no two sums of a round have one name")
  func names() {
    let names = TapPlace.all(in: 0..<12).flatMap { place in
      SumKind.allCases.flatMap { kind in
        (0..<4).flatMap { level in
          (0..<12).map { SumWork.fileName(place, kind, TreeNode(level: level, index: $0)) }
        }
      }
    }
    #expect(Set(names).count == names.count)
  }

  @Test("lost sums free the units that held them, and no others")
  func losses() {
    var collection = full()
    collection.take(.lost([sum(places[0], .heldOut, 1).digest]), of: places[0])
    #expect(collection.unitsToSum == [units[1].node])
    #expect(collection.placesToMerge.isEmpty && !collection.isDone)
    take(1, at: "d", in: &collection)
    #expect(collection.placesToMerge == places)
    let names = collection.sources(of: places[0]).map(\.location)
    #expect(
      names == ["a", "d", "d", "c"].map { .worker(endpoint: "tcp://\($0)") })
    // Several at once; digests that nobody has free nothing.
    collection.take(
      .lost([
        sum(places[1], .kept, 0).digest, VirtualWork.digest(of: [99]),
        sum(places[1], .heldOut, 2).digest,
      ]), of: places[1])
    #expect(collection.unitsToSum == [units[0].node, units[2].node])
    #expect(collection.lossCount == 2)
  }

  @Test("maps that are merged stay merged when the sums of others are lost")
  func mergedStays() {
    var collection = full()
    collection.take(merged, of: places[1])
    collection.take(.lost(sums(0).map(\.digest)), of: places[0])
    // Asked for with the others: what they say is what there was when they were asked.
    collection.take(merged, of: places[3])
    #expect(collection.unitsToSum == [units[0].node] && collection.placesToMerge.isEmpty)
    take(0, at: "d", in: &collection)
    #expect(collection.placesToMerge == [places[0], places[2]])
    for place in [places[0], places[2]] { collection.take(merged, of: place) }
    #expect(collection.isDone && collection.unitsToSum.isEmpty)
  }

  @Test("what a worker held that has left is summed again without being asked for, and is no loss")
  func departures() {
    var collection = full()
    collection.keep(of: [worker("a"), worker("c"), worker("d")])
    #expect(collection.unitsToSum == [units[1].node] && collection.placesToMerge.isEmpty)
    #expect(collection.lossCount == 0)
    take(1, at: "d", in: &collection)
    #expect(collection.placesToMerge == places)
    // What lies in a folder stays whoever put it there.
    let isTaken = collection.take(sums(2), of: units[2].node, at: .folder("/shared/7"))
    #expect(isTaken)
    collection.keep(of: [])
    #expect(collection.unitsToSum == [units[0].node, units[1].node])
  }

  @Test("what one worker takes with it is one loss, of however many maps")
  func lossCount() {
    var collection = full()
    for place in places {
      collection.take(.lost(units[1].kinds.map { sum(place, $0, 1).digest }), of: place)
    }
    #expect(collection.unitsToSum == [units[1].node])
    #expect(collection.lossCount == 1)
  }

  @Test("a kind that a unit has not is no report of it")
  func extraKind() {
    let odd = sums(0) + [sum(places[2], .heldOut, 0)]
    #expect(refuses(odd, of: units[0].node, collection()))
  }

  @Test("when the last map is merged, units that were lost meanwhile are not summed again")
  func lostAtTheEnd() {
    var collection = full()
    for place in places.dropLast() { collection.take(merged, of: place) }
    collection.take(.lost([sum(places[3], .kept, 0).digest]), of: places[3])
    #expect(collection.unitsToSum == [units[0].node])
    // Another attempt had all of them at hand.
    collection.take(merged, of: places[3])
    #expect(collection.isDone && collection.unitsToSum.isEmpty && collection.placesToMerge.isEmpty)
  }

  /// Workers that die between and during the steps: as long as they do not for ever, all maps are merged
  /// from sums that somebody had.
  @Test("whatever is lost, all maps are merged in the end", arguments: 0..<300)
  func random(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    let units = (0..<Int.random(in: 1...8, using: &generator)).map { index in
      (
        node: TreeNode.leaf(index),
        kinds: [[SumKind.kept], [.heldOut], [.kept, .heldOut]].randomElement(using: &generator)!
      )
    }
    let places = TapPlace.all(in: 0..<Int.random(in: 1...3, using: &generator))
    var collection = SumCollection(places: places, units: units)
    /// Who lives, and what each of them holds.
    var held: [String: Set<Digest>] = ["0": [], "1": [], "2": []]
    var next = 3
    var open = Set(places)
    var lossesLeft = 20
    var stepCount = 0
    while !collection.isDone {
      stepCount += 1
      guard stepCount < 200 else {
        Issue.record("it does not end")
        return
      }
      let toSum = collection.unitsToSum
      let toMerge = collection.placesToMerge
      #expect(toSum.isEmpty != toMerge.isEmpty, "one of them, never both")
      #expect(Set(toMerge).isSubset(of: open))
      for node in toSum.shuffled(using: &generator) {
        let name = held.keys.sorted().randomElement(using: &generator)!
        let unit = units.first { $0.node == node }!
        let sums = places.flatMap { place in
          unit.kinds.map { kind in
            HeldSum(
              place, kind,
              VirtualWork.digest(of: [UInt8(place.step), UInt8(kind.rawValue), UInt8(node.index)]))
          }
        }.shuffled(using: &generator)
        held[name]!.formUnion(sums.map(\.digest))
        let isTaken = collection.take(sums, of: node, at: .worker(worker(name), endpoint: name))
        #expect(isTaken)
      }
      // The sources are those of the time at which they are asked for.
      let asked = toMerge.map { ($0, collection.sources(of: $0)) }
      for (place, sources) in asked.shuffled(using: &generator) {
        if lossesLeft > 0, generator.chance(0.3) {
          lossesLeft -= 1
          held[held.keys.sorted().randomElement(using: &generator)!] = nil
          held["\(next)"] = []
          next += 1
        }
        let lost = sources.filter { source in
          guard case .worker(let name) = source.location else { return true }
          return held[name]?.contains(source.digest) != true
        }
        #expect(
          sources.map(\.kind).count { $0 == .kept } == units.count { $0.kinds.contains(.kept) })
        guard lost.isEmpty else {
          collection.take(.lost(lost.map(\.digest)), of: place)
          continue
        }
        let isNew = open.remove(place) != nil
        #expect(isNew, "no map is merged twice")
        collection.take(.merged(tokenCount: 1, heldOutTokenCount: 1), of: place)
      }
    }
    #expect(open.isEmpty)
  }
}
