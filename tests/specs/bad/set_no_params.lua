-- expect: --set classes=4: set_no_params.lua has no param("classes")
-- set: classes=4
-- kind: usage
return input { 'x', 1 }
