#pragma once

#include "harness/case_text.h"
#include "harness/operator_harness.h"

#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace flott::harness {

/// One case of an operator's behaviour, written once and replayed in several ways that must not
/// make a difference: element by element; consecutive records packed into one batch; with a
/// snapshot and a restore into a new instance after every step; and, on keyed streams, with a
/// checkpoint after every step and a restore after every third, and rescaled 1 -> 3 -> 2 -> 1 ...
/// after every step (outputs of a step compared as a multiset then).
///
///   verify_operator([] { return make_map_operator(map_with(...)); })
///       .input("+ 1 @1s | + 2 | watermark 5s | end")
///       .expect("+ 2 @1s | + 4 | watermark 5s | watermark max");
///
/// The language is described in harness/case_text.h. expect() or expect_error() comes last and runs
/// the case. A restored instance gets the last watermark again, as it would from upstream.
class OperatorCase {
 public:
  using Factory = std::function<std::unique_ptr<Operator>()>;

  OperatorCase(Factory factory, std::source_location where)
      : factory_(std::move(factory)), where_(where) {}

  /// The stream has keys: the first field of rows and arrays, or the value itself.
  OperatorCase& keyed() { return keyed_by(first_field_key); }
  OperatorCase& keyed_by(KeyOf key_of);
  /// The input has a timestamp and watermark interval of its own.
  OperatorCase& auto_watermark_interval(std::int64_t ms);
  OperatorCase& batch_mode();
  /// The operator keeps what no checkpoint holds (watermark generators): no restore, no rescaling.
  OperatorCase& without_restore();
  /// The order of outputs within a step does not matter.
  OperatorCase& any_order();
  OperatorCase& input(std::string_view text);
  /// No key holds state and no timer is left when the input has been processed.
  OperatorCase& expect_empty_state();
  /// A metric after the input, element by element and in batches.
  OperatorCase& expect_metric(const std::string& name, double value);

  void expect(std::string_view text);
  /// The case fails with an error that contains `part`.
  void expect_error(std::string_view part);

 private:
  using Lines = std::vector<std::string>;
  struct Mode;
  class Run;
  /// Outputs of each step.
  std::vector<Lines> run(const Mode& mode);
  void compare(const Mode& mode,
               const std::vector<Lines>& expected,
               const std::vector<Lines>& actual) const;

  Factory factory_;
  std::source_location where_;
  OperatorHarness::Options options_;
  bool restorable_ = true;
  bool any_order_ = false;
  bool empty_state_ = false;
  std::map<std::string, double> metrics_;
  std::vector<Step> steps_;
};

OperatorCase verify_operator(OperatorCase::Factory factory,
                             std::source_location where = std::source_location::current());

}  // namespace flott::harness
