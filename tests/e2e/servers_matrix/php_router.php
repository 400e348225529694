<?php
// SPDX-License-Identifier: Apache-2.0
// PHP's built-in server: php -S 127.0.0.1:PORT php_router.php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$digit = intval(substr($path, -1));
http_response_code($digit < 6 ? 200 : ($digit < 9 ? 404 : 500));
header('Content-Type: text/plain');
echo "you asked for $path\n";
