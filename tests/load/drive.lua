-- For wrk: sends the lines of a file in turn, `METHOD path token body` separated by tabs; `-` is none.
-- `#` in a path becomes the number of the request, which makes its URL a new one.
local lines, place, count = {}, 0, 0

function init(args)
    for line in io.lines(args[1]) do
        local method, path, token, body = line:match("([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)")
        local headers = {["Content-Type"] = "application/json"}
        if token ~= "-" then headers["Authorization"] = "Bearer " .. token end
        lines[#lines + 1] = {method, path, headers, body ~= "-" and body or nil}
    end
    place = tonumber(args[2] or "0")
end

function request()
    local line = lines[place % #lines + 1]
    place, count = place + 1, count + 1
    return wrk.format(line[1], (line[2]:gsub("#", tostring(place))), line[3], line[4])
end
