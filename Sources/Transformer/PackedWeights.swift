internal import FlapCore
internal import Kernels

/// Where weights are packed into tiles; one layer at a time, used for every leaf of a micro-batch.
struct PackedWeights {
  let compute: ComputeType
  let buffer: ScratchBuffer

  /// Bytes for the largest layer, and for one strip of the output projection.
  static func byteCount(_ shape: ModelShape, _ compute: ComputeType) -> Int {
    let strip = ColumnTiles.byteCount(
      compute, outputs: MatrixProduct.tileOutputs, channels: shape.hiddenSize)
    return shape.layers.indices.reduce(strip) { largest, layer in
      let bytes = shape.table(layer: layer).maps.reduce(0) {
        $0 + ColumnTiles.byteCount(compute, outputs: $1.rows, channels: $1.columns)
      }
      return max(largest, bytes)
    }
  }

  /// Packs on all threads the maps of some halves of a layer; what was packed before is overwritten.
  func pack(_ layer: LayerWeights, for taps: [Tap], team: ThreadTeam) -> LayerMaps<ColumnTiles> {
    var free = buffer.bytes
    let pairs = layer.maps.map { linear in
      let matrix = linear.weight
      let tiles = ColumnTiles(compute, outputs: matrix.rows, channels: matrix.columns, at: free)
      free += tiles.byteCount
      return (matrix: matrix, tiles: tiles, firstGroup: 0)
    }
    pack(
      (taps.contains(.attentionOutput) ? pairs.attention : [])
        + (taps.contains(.mlpDown) ? pairs.feedForward : []), team: team)
    return pairs.map(\.tiles)
  }

  /// Rows of the output projection that fit: whole strips, so that they are the same however much
  /// room there is, and sums over them have the same bits in a model and in what is left of it.
  func rowsThatFit(channels: Int) -> Int {
    let width = MatrixProduct.tileOutputs
    let stripBytes = ColumnTiles.byteCount(compute, outputs: width, channels: channels)
    return buffer.byteCount / stripBytes * width
  }

  /// Packs some rows of a matrix, from a multiple of 16 on, as if there were no others.
  func pack(_ matrix: WeightMatrix, rows: Range<Int>, team: ThreadTeam) -> ColumnTiles {
    let tiles = ColumnTiles(
      compute, outputs: rows.count, channels: matrix.columns, at: buffer.bytes)
    pack([(matrix, tiles, rows.lowerBound / Tile.side)], team: team)
    return tiles
  }

  private func pack(
    _ maps: [(matrix: WeightMatrix, tiles: ColumnTiles, firstGroup: Int)], team: ThreadTeam
  ) {
    let groupsPerTask = 8
    var tasks: [(map: Int, groups: Range<Int>)] = []
    for (index, map) in maps.enumerated() {
      let count = Tile.count(ofRows: map.tiles.outputs)
      for first in stride(from: 0, to: count, by: groupsPerTask) {
        tasks.append((index, first..<min(first + groupsPerTask, count)))
      }
    }
    team.run(.packing, taskCount: tasks.count) { task, _ in
      let (index, groups) = tasks[task]
      let map = maps[index]
      map.matrix.packGroups(
        map.firstGroup + groups.lowerBound..<map.firstGroup + groups.upperBound, compute,
        to: map.tiles.group(groups.lowerBound))
    }
  }
}
