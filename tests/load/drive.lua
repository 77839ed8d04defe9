-- For wrk: sends the lines of a file in turn, `METHOD path token body` separated by tabs; `-` is none.
-- `#` in a path becomes the number of the request, which makes its URL a new one.
local lines, place = {}, 0

function init(args)
    for line in io.lines(args[1]) do
        local method, path, token, body = line:match("([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)")
        local headers = {}
        if token ~= "-" then headers["Authorization"] = "Bearer " .. token end
        if body ~= "-" then headers["Content-Type"] = "application/json" else body = nil end
        lines[#lines + 1] = {method, path, headers, body}
    end
    place = tonumber(args[2] or "0")
end

function request()
    local line = lines[place % #lines + 1]
    place = place + 1
    return wrk.format(line[1], (line[2]:gsub("#", tostring(place))), line[3], line[4])
end
