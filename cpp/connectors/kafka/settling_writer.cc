#include "connectors/kafka/settling_writer.h"

#include "base/log.h"
#include "connectors/kafka/exactly_once_writer.h"
#include "types/host.h"

namespace flott::kafka {

void SettlingWriter::open() {
  transactions_->open();
  plain_->open();
}

bool SettlingWriter::claims_state(const std::string& name) const {
  return name == ExactlyOnceWriter::kStateName;
}

bool SettlingWriter::settled() {
  if (transactions_ == nullptr) {
    return true;
  }
  if (!transactions_->flushed()) {
    return false;
  }
  if (!committing_) {
    committing_ = true;
    transactions_->start_final_commit();
  }
  if (!transactions_->committed()) {
    return false;
  }
  const HostRelease released;  // its thread may be about to log
  transactions_->close();
  transactions_.reset();
  log(LogLevel::kInfo,
      "flott.kafka",
      "sink '{}': the transactions of the checkpoint are committed; from here on there are none "
      "(delivery.guarantee)",
      operator_name_);
  return true;
}

void SettlingWriter::on_time() {
  settled();
  plain_->on_time();
}

void SettlingWriter::close() {
  if (transactions_ != nullptr) {
    transactions_->close();
  }
  plain_->close();
}

}  // namespace flott::kafka
