-- expect: removed_pcall.lua:2: 'pcall' is not available in a spec
while true do pcall(error) end
