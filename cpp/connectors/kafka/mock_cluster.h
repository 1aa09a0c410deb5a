#pragma once

#include "connectors/kafka/client.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <string>

namespace flott::kafka {

/// Brokers inside this process (librdkafka's mock cluster): for tests and the demo, no evidence
/// about loss. Ports are ephemeral, on 127.0.0.1. Bounded memory: a partition keeps its newest 5 MB
/// / 100,000 records. Ends with the object.
class MockCluster {
 public:
  explicit MockCluster(int brokers = 1);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  /// "127.0.0.1:40123,..."
  std::string bootstrap_servers() const;
  void create_topic(const std::string& topic, int partitions);
  /// Stops and starts a broker (1, 2, ...): connections break, data stays.
  void set_broker_up(int broker, bool up);
  /// Delays every answer of a broker; 0: none.
  void set_delay(int broker, int milliseconds);
  rd_kafka_mock_cluster_t* handle() const { return cluster_; }

 private:
  Client client_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace flott::kafka

/// The same for programs that load the plugin at run time (the demo's broker process, Python's
/// ctypes). Functions return null / -1 on failure; nothing is thrown.
extern "C" {
void* flott_mock_cluster_start(int brokers);
/// Valid until the cluster is stopped.
const char* flott_mock_cluster_bootstrap_servers(void* cluster);
int flott_mock_cluster_create_topic(void* cluster, const char* topic, int partitions);
int flott_mock_cluster_set_broker_up(void* cluster, int broker, int up);
void flott_mock_cluster_stop(void* cluster);
}
