internal import FlapCore

/// Something of each linear map of a decoder layer.
struct LayerMaps<Value> {
  var query: Value
  var key: Value
  var value: Value
  var output: Value
  var gate: Value
  var up: Value
  var down: Value

  init(_ value: (LinearMap.Role) throws -> Value) rethrows {
    query = try value(.query)
    key = try value(.key)
    self.value = try value(.value)
    output = try value(.output)
    gate = try value(.gate)
    up = try value(.up)
    down = try value(.down)
  }

  subscript(role: LinearMap.Role) -> Value {
    switch role {
    case .query: query
    case .key: key
    case .value: value
    case .output: output
    case .gate: gate
    case .up: up
    case .down: down
    }
  }

  func map<Other>(_ transform: (Value) throws -> Other) rethrows -> LayerMaps<Other> {
    try LayerMaps<Other> { try transform(self[$0]) }
  }

  /// In the order of the forward pass.
  var all: [Value] { LinearMap.Role.allCases.map { self[$0] } }
}

extension LayerMaps<LinearMap> {
  init(_ table: LayerTable) {
    let maps = table.maps
    self.init { role in
      guard let map = maps.first(where: { $0.role == role }) else {
        preconditionFailure("this forward pass needs every map of a layer")
      }
      return map
    }
  }
}
