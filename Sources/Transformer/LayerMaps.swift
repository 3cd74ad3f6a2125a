internal import FlapCore

/// Something of each linear map of a decoder layer.
struct LayerMaps<Value> {
  var query: Value
  var key: Value
  var value: Value
  var output: Value
  /// nil where the layer has no experts.
  var router: Value?
  /// Of the layer's MLP, or of each expert.
  var mlps: [MLP]

  struct MLP {
    var gate: Value
    var up: Value
    var down: Value

    var all: [Value] { [gate, up, down] }

    func map<Other>(_ transform: (Value) throws -> Other) rethrows -> LayerMaps<Other>.MLP {
      LayerMaps<Other>.MLP(
        gate: try transform(gate), up: try transform(up), down: try transform(down))
    }
  }

  /// In the order of the forward pass.
  var all: [Value] { attention + feedForward }

  var attention: [Value] { [query, key, value, output] }
  var feedForward: [Value] { (router.map { [$0] } ?? []) + mlps.flatMap(\.all) }

  func map<Other>(_ transform: (Value) throws -> Other) rethrows -> LayerMaps<Other> {
    LayerMaps<Other>(
      query: try transform(query), key: try transform(key), value: try transform(value),
      output: try transform(output), router: try router.map(transform),
      mlps: try mlps.map { try $0.map(transform) })
  }

  /// Something of both of each map.
  ///
  /// - Precondition: as many MLPs.
  func combined<Other, Result>(
    with other: LayerMaps<Other>, _ transform: (Value, Other) throws -> Result
  ) rethrows -> LayerMaps<Result> {
    precondition(mlps.count == other.mlps.count, "maps of one layer")
    // Both in the order of the forward pass.
    var rest = other.all.makeIterator()
    return try map { try transform($0, rest.next()!) }
  }
}

extension LayerMaps<LinearMap> {
  init(_ table: LayerTable) {
    let maps = table.maps
    func find(_ role: LinearMap.Role, _ expert: Int?) -> LinearMap {
      guard let map = maps.first(where: { $0.role == role && $0.expert == expert }) else {
        preconditionFailure("this forward pass needs every map of a layer")
      }
      return map
    }
    query = find(.query, nil)
    key = find(.key, nil)
    value = find(.value, nil)
    output = find(.output, nil)
    router = maps.first { $0.role == .router }
    // In the order of the experts: a search for each would take the square of their number.
    let (gates, ups, downs) = (
      maps.filter { $0.role == .gate }, maps.filter { $0.role == .up },
      maps.filter { $0.role == .down }
    )
    precondition(gates.count == ups.count && gates.count == downs.count, "whole MLPs")
    mlps = gates.indices.map { MLP(gate: gates[$0], up: ups[$0], down: downs[$0]) }
  }
}
