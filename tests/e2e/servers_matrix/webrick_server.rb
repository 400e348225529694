# SPDX-License-Identifier: Apache-2.0
# WEBrick: ruby webrick_server.rb PORT
require 'webrick'

quiet = WEBrick::Log.new(File::NULL)
server = WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: Integer(ARGV[0]),
                                 Logger: quiet, AccessLog: [])
server.mount_proc('/') do |request, response|
  request.body
  digit = request.path[-1].to_i
  response.status = digit < 6 ? 200 : digit < 9 ? 404 : 500
  response['Content-Type'] = 'text/plain'
  response.body = "you asked for #{request.path}\n"
end
server.start
