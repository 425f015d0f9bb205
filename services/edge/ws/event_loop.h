#pragma once

namespace spillway::edge::ws {

class Connection;

// What connections need of the event loop under them. Implemented by the worker (net/) and by fakes
// in tests; called on the loop's thread only.
class EventLoop {
 public:
  virtual ~EventLoop() = default;
  // From now on connection->HandleReadable() is called while `fd` has something to read. False: no
  // more can be watched.
  virtual bool Watch(int fd, Connection* connection) = 0;
  // Whether connection->HandleWritable() is to be called, too, once `fd` takes bytes again.
  virtual void WatchWrites(int fd, Connection* connection, bool on) = 0;
  virtual void Unwatch(int fd) = 0;
  // Something was queued while no turn was running: a turn has to come.
  virtual void RequestTurn() = 0;
};

}  // namespace spillway::edge::ws
