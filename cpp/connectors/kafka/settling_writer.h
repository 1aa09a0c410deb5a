#pragma once

#include "connectors/sink.h"

#include <memory>
#include <string>

namespace flott::kafka {

/// The writer of a sink that is not EXACTLY_ONCE (any more), restored from a checkpoint of when it
/// was: first commits what that checkpoint holds and no transaction has published, as Flink commits
/// recovered committables whatever the guarantee. Until that is done it takes no records, and
/// checkpoints wait; afterwards it is the plain writer.
class SettlingWriter final : public SinkWriter {
 public:
  /// `transactions`: a writer with two phases, restored; `plain`: the one after it.
  SettlingWriter(std::unique_ptr<SinkWriter> transactions,
                 std::unique_ptr<SinkWriter> plain,
                 std::string operator_name)
      : transactions_(std::move(transactions)),
        plain_(std::move(plain)),
        operator_name_(std::move(operator_name)) {}

  void open() override;
  bool claims_state(const std::string& name) const override;
  void write(const BatchPtr& batch) override { plain_->write(batch); }
  bool busy() const override { return transactions_ != nullptr || plain_->busy(); }
  void start_flush() override { plain_->start_flush(); }
  bool flushed() override { return settled() && plain_->flushed(); }
  void end_input() override { plain_->end_input(); }
  bool flushes_at_checkpoints() const override {
    return transactions_ != nullptr || plain_->flushes_at_checkpoints();
  }
  Timestamp next_time() const override { return plain_->next_time(); }
  void on_time() override;
  void close() override;

 private:
  bool settled();

  std::unique_ptr<SinkWriter> transactions_;  ///< null when everything is committed
  std::unique_ptr<SinkWriter> plain_;
  const std::string operator_name_;
  bool committing_ = false;
};

}  // namespace flott::kafka
