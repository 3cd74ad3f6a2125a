internal import Kernels

/// A map while channel after channel is taken from its input: the weights as compensated so far,
/// and the inverse H of C + λ·diag C over the channels that are left.
///
/// Rows and columns of channels that are gone stay where they are until there are many; then what
/// is left moves together, so that products have nothing to do with the rest.
struct Elimination {
  /// What went, and by how much the output's error grew.
  struct Removal {
    let unit: Int
    let cost: Double
  }

  /// Who looks at what is left on the way.
  struct Visits {
    /// Of units that are left.
    let counts: Set<Int>
    let visit: (Elimination) throws -> Void

    /// How many of the next that go are gone at each visit, ascending, when so many units are left.
    func stops(left: Int, taking count: Int) -> [Int] {
      (1...count).filter { counts.contains(left - $0) }
    }
  }

  /// H in the lower triangle of its first ``size`` rows and columns.
  private let inverse: Matrix
  /// W, [outputs, ``size``].
  let weight: Matrix
  private var size: Int
  /// The channel of each place.
  private(set) var channels: [Int]
  /// Places of channels that are left, ascending.
  private(set) var places: [Int]
  private let algebra: AlgebraTeam

  /// - Parameter channels: those that take part, ascending.
  init(
    _ weight: WeightRows, _ covariance: Covariance, channels: [Int], ridge: Double,
    on algebra: AlgebraTeam
  ) throws(LeastSquaresError) {
    inverse = try Cholesky(
      factoring: covariance.gatherLower(channels, ridge: ridge, on: algebra), on: algebra
    ).invertLower()
    self.weight = weight.gather(channels, on: algebra)
    size = channels.count
    self.channels = channels
    places = Array(channels.indices)
    self.algebra = algebra
  }

  // MARK: Channels by themselves

  /// All channels but the last one, the cheapest first.
  mutating func removeChannels(batch: Int, _ visits: Visits) throws -> [Removal] {
    var removals: [Removal] = []
    while places.count > 1 {
      let pool = cheapest(2 * batch)
      let taken = eliminate(min(batch, places.count - 1), from: pool)
      removals += taken.map { Removal(unit: channels[$0.place], cost: $0.cost) }
      let stops = visits.stops(left: places.count, taking: taken.count)
      try remove(taken.map(\.place), stops, visits)
    }
    return removals
  }

  /// Places of the channels that cost least by themselves, the cheapest first.
  private func cheapest(_ count: Int) -> [Int] {
    let norms = columnNorms()
    let costs = places.map { norms[$0] / inverse.row($0)[$0] }
    let ranked = costs.indices.sorted {
      costs[$0] < costs[$1] || (costs[$0] == costs[$1] && $0 > $1)
    }
    return ranked.prefix(count).map { places[$0] }
  }

  /// Σ over the outputs of W², of every place.
  private func columnNorms() -> [Double] {
    let rowsPerPart = 256
    let parts = Matrix(rows: (weight.rows + rowsPerPart - 1) / rowsPerPart, columns: size)
    algebra.ranges(of: weight.rows, by: rowsPerPart) { rows, _ in
      let sums = parts.row(rows.lowerBound / rowsPerPart)
      for row in rows {
        let w = weight.row(row)
        for place in 0..<size { sums[place] += w[place] * w[place] }
      }
    }
    return (0..<size).map { place in
      (0..<parts.rows).reduce(0) { $0 + parts.row($1)[place] }
    }
  }

  /// Takes `count` channels out of a pool, the cheapest first, given those before.
  ///
  /// Costs need the weights' norms alone: with Q = WᵀW of the pool, a channel i that goes leaves
  /// w_j − w_i·h_j with h_j = H_ij / H_ii, thus Q_jk − h_j·Q_ik − h_k·Q_ij + h_j·h_k·Q_ii.
  private func eliminate(_ count: Int, from pool: [Int]) -> [(place: Int, cost: Double)] {
    let n = pool.count
    let h = gatherInverse(pool, pool)
    let w = gatherWeight(pool)
    let q = Matrix(rows: n, columns: n)
    algebra.multiply(w.block.transposed, w.block, .set, to: q.block)
    var left = Array(pool.indices)
    var taken: [(place: Int, cost: Double)] = []
    let (hRow, qRow) = (Matrix(rows: 1, columns: n), Matrix(rows: 1, columns: n))
    while taken.count < count {
      var (best, bestCost) = (0, Double.infinity)
      for (index, i) in left.enumerated() {
        let cost = max(q.row(i)[i], 0) / h.row(i)[i]
        if cost < bestCost || (cost == bestCost && pool[i] > pool[left[best]]) {
          (best, bestCost) = (index, cost)
        }
      }
      let i = left.remove(at: best)
      taken.append((pool[i], bestCost))
      let (pivot, norm) = (h.row(i)[i], q.row(i)[i])
      for k in 0..<n {
        hRow.values[k] = h.row(i)[k]
        qRow.values[k] = q.row(i)[k] - norm * h.row(i)[k] / pivot
      }
      let (hI, qI) = (UnsafePointer(hRow.values), UnsafePointer(qRow.values))
      for j in left {
        let (hJ, qJ) = (h.row(j), q.row(j))
        let (factor, crossed) = (hJ[i] / pivot, qJ[i] / pivot)
        for k in 0..<n {
          hJ[k] -= factor * hI[k]
          qJ[k] -= factor * qI[k] + crossed * hI[k]
        }
      }
    }
    return taken
  }

  // MARK: Groups

  /// All groups of channels but the last one, one by one.
  mutating func removeGroups(width: Int, _ visits: Visits) throws -> [Removal] {
    var removals: [Removal] = []
    while true {
      // The places of a unit lie side by side.
      let units = places.chunked { channels[$0] / width == channels[$1] / width }
      guard units.count > 1 else { return removals }
      var (best, bestCost) = (0, Double.infinity)
      for (index, unit) in units.enumerated() {
        let cost = try cost(of: unit)
        if cost <= bestCost { (best, bestCost) = (index, cost) }
      }
      removals.append(Removal(unit: channels[units[best][0]] / width, cost: bestCost))
      let stops = visits.stops(left: units.count, taking: 1).map { $0 * units[best].count }
      try remove(units[best], stops, visits)
    }
  }

  /// tr(W_g·H_gg⁻¹·W_gᵀ) = ‖W_g·L⁻ᵀ‖² with H_gg = L·Lᵀ.
  private func cost(of places: [Int]) throws(LeastSquaresError) -> Double {
    let w = gatherWeight(places)
    try Cholesky(factoring: gatherInverse(places, places), on: algebra).solveLower(rows: w)
    return (0..<w.rows).reduce(0) { sum, row in
      sum + dot(w.row(row), w.row(row), count: w.columns)
    }
  }

  // MARK: The update

  /// Takes channels out: with H_BB = L·Lᵀ, R = H_:B·L⁻ᵀ and Y = W_B·L⁻ᵀ, H −= R·Rᵀ and
  /// W −= Y·Rᵀ. The first columns of R and Y are those of the first that go: a visit on the way sees
  /// W without these, and changes no bit of what follows.
  ///
  /// - Parameter stops: numbers of channels that are gone at a visit, ascending.
  private mutating func remove(_ taken: [Int], _ stops: [Int], _ visits: Visits) throws {
    let factor = try Cholesky(factoring: gatherInverse(taken, taken), on: algebra)
    // What is gone becomes zeros, up to rounding, and is not looked at again.
    let r = gatherInverse(0..<size, taken)
    factor.solveLower(rows: r)
    let y = gatherWeight(taken)
    factor.solveLower(rows: y)
    algebra.multiply(
      r.block, r.block.transposed, .subtract, to: inverse.block[0..<size, 0..<size], isLower: true)
    var goneCount = 0
    for stop in stops.last == taken.count ? stops : stops + [taken.count] {
      let part = goneCount..<stop
      let gone = Set(taken[part])
      algebra.multiply(
        y.block[0..<y.rows, part], r.block[0..<r.rows, part].transposed, .subtract,
        to: weight.block[0..<weight.rows, 0..<size])
      places.removeAll { gone.contains($0) }
      goneCount = stop
      if stops.contains(stop) { try visits.visit(self) }
    }
    if places.count <= size - max(size / 8, 1) { moveTogether() }
  }

  /// What is left to the front, in its order.
  private mutating func moveTogether() {
    let left = places
    algebra.ranges(of: weight.rows, by: 64) { rows, _ in
      for row in rows {
        let w = weight.row(row)
        for (place, old) in left.enumerated() { w[place] = w[old] }
      }
    }
    // Row by row from the first on: no row comes later than where it goes.
    for (place, old) in left.enumerated() {
      let (to, from) = (inverse.row(place), inverse.row(old))
      for column in 0...place { to[column] = from[left[column]] }
    }
    channels = left.map { channels[$0] }
    size = left.count
    places = Array(0..<size)
  }

  private func gatherInverse(_ rows: some RandomAccessCollection<Int>, _ columns: [Int]) -> Matrix {
    let matrix = Matrix(rows: rows.count, columns: columns.count)
    let rows = Array(rows)
    algebra.ranges(of: rows.count, by: 32) { range, _ in
      for index in range {
        let (to, row) = (matrix.row(index), rows[index])
        for (position, column) in columns.enumerated() {
          to[position] = inverse.row(max(row, column))[min(row, column)]
        }
      }
    }
    return matrix
  }

  private func gatherWeight(_ columns: [Int]) -> Matrix {
    let matrix = Matrix(rows: weight.rows, columns: columns.count)
    algebra.ranges(of: weight.rows, by: 32) { range, _ in
      for row in range {
        let (to, from) = (matrix.row(row), weight.row(row))
        for (position, column) in columns.enumerated() { to[position] = from[column] }
      }
    }
    return matrix
  }
}

extension [Int] {
  /// Stretches of neighbours that belong together.
  fileprivate func chunked(_ belong: (Int, Int) -> Bool) -> [[Int]] {
    var chunks: [[Int]] = []
    for element in self {
      if let last = chunks.last?.last, belong(last, element) {
        chunks[chunks.count - 1].append(element)
      } else {
        chunks.append([element])
      }
    }
    return chunks
  }
}
