#pragma once

// Asio's types with the concrete executor of a worker's own io_context: no type-erased executors,
// no strands. For this folder's .cc files only.
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace spillway::edge::net {

using IoContext = boost::asio::io_context;
using Tcp = boost::asio::ip::tcp;
using TcpSocket = boost::asio::basic_stream_socket<Tcp, IoContext::executor_type>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<Tcp, IoContext::executor_type>;

}  // namespace spillway::edge::net
