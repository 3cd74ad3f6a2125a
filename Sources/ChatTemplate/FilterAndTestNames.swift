/// The filters of Jinja, and what other name stands behind a pipe.
enum FilterName: Hashable, Sendable {
  case known(Known)
  case unknown(String)

  init(_ name: String) { self = Known(rawValue: name).map(FilterName.known) ?? .unknown(name) }

  enum Known: String, Sendable, CaseIterable {
    case abs, attr, capitalize, count, d, `default`, dictsort, first, float, indent, int, items,
      join
    case last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round, safe
    case select, selectattr, sort, string, sum, title, tojson, trim, unique, upper
  }
}

/// The tests of Jinja, and what other name stands behind `is`.
enum TestName: Hashable, Sendable {
  case known(Known)
  case unknown(String)

  init(_ name: String) { self = Known(rawValue: name).map(TestName.known) ?? .unknown(name) }

  enum Known: String, Sendable, CaseIterable {
    case boolean, callable, defined, divisibleby, even, odd, `false`, `true`, filter, float, integer
    case iterable, lower, upper, mapping, none, number, sameas, sequence, string, test, undefined
    case `in`, eq, equalto, ne, lt, lessthan, le, gt, greaterthan, ge
    case equalSign = "=="
    case notEqualSign = "!="
    case lessSign = "<"
    case lessOrEqualSign = "<="
    case greaterSign = ">"
    case greaterOrEqualSign = ">="
  }
}
